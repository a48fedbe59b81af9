"""Networks tested a column at a time say what the addresses say one by one."""

import ipaddress

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ingest.address_ranges import SPECIAL, AddressRanges
from ingest.networks import read_address

#: Beginnings near and far from networks of SPECIAL.
NEAR = ("2001:db8::", "2001:2::", "2001:10::", "2001:41d0::", "fe80::", "fc00::", "64:ff9b:1::")
FAR = ("::", "::ffff:0:0", "2a00:1450::", "3fff::", "5f00::", "0:1::")

ADDRESSES = st.builds(
    lambda start, bits: str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(start)) ^ bits)),
    st.sampled_from(NEAR + FAR),
    st.integers(0, 6).flatmap(lambda groups: st.integers(0, 2 ** (16 * groups))),
)
ODD = st.sampled_from(
    (
        *("", "x", "[::1]:80", "[2001:db8::1]", "2001:DB8::1", " fe80::1", "fe80::1%eth0"),
        *("0:0:0:0:0:ffff:10.0.0.1", "::ffff:10.0.0.1", "2001:db8:80", "2a00:1", "0::"),
        *("10.0.0.1", "8.8.8.8"),
    )
)


@given(st.lists(ADDRESSES | ODD | st.none(), max_size=30))
def test_a_column_is_told_as_its_addresses_are(texts: list[str | None]) -> None:
    ranges = AddressRanges(SPECIAL)
    read = [None if text is None else read_address(text) for text in texts]
    expected = [address is not None and ranges.contains(address) for address in read]
    assert ranges.contain(pl.Series(texts, dtype=pl.String)).to_list() == expected


@given(st.lists(ADDRESSES | ODD, max_size=10))
def test_no_network_holds_nothing(texts: list[str]) -> None:
    assert not AddressRanges(["192.0.2.0/24"]).contain(pl.Series(texts, dtype=pl.String)).any()
