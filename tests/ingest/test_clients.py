"""The client behind proxies: what is believed, and what cannot be forged."""

import ipaddress
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ingest.address_ranges import PRIVATE, SPECIAL, AddressRanges
from ingest.clients import HEADERS, ClientAddresses

PROXIES = ("10.0.0.0/8", "198.51.100.7", "2001:db8:ffff::/48")
NAMES = ("client", *HEADERS)


def columns(
    rows: Sequence[Sequence[str | None]], proxies: Sequence[str] = PROXIES
) -> list[tuple[str | None, str | None]]:
    """Return (client_ip, client_network) of rows of client, X-Forwarded-For, Forwarded, CF."""
    padded = [[*row, *[None] * (len(NAMES) - len(row))] for row in rows]
    frame = pl.DataFrame(padded, schema=dict.fromkeys(NAMES, pl.String), orient="row")
    address, network = ClientAddresses(proxies).columns(frame)
    assert (address.name, network.name) == ("client_ip", "client_network")
    assert address.dtype == network.dtype == pl.String
    return list(zip(address, network, strict=True))


def client(*row: str | None, proxies: Sequence[str] = PROXIES) -> str | None:
    """Return the client of a row alone, which is also its client among others."""
    others = [["203.0.113.1"], ["10.0.0.1", "192.0.2.1"], ["10.0.0.1", "x, 192.0.2.1, 10.0.0.9"]]
    alone = columns([row], proxies)[0]
    assert columns([row, *others], proxies)[0] == alone
    return alone[0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["203.0.113.9", "192.0.2.1"], "203.0.113.9"),
        (["203.0.113.9:4711", "192.0.2.1"], "203.0.113.9"),
        (["10.0.0.1", "192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1:80", "192.0.2.1:50123"], "192.0.2.1"),
        (["10.0.0.1", "6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "6.6.6.6,192.0.2.1, 10.0.0.2 ,198.51.100.7"], "192.0.2.1"),
        (["10.0.0.1", '6.6.6.6, "[2001:DB8::1]:443"'], "2001:db8::1"),
        (["10.0.0.1", "fe80::1%eth0"], "fe80::1"),
        (["::ffff:10.0.0.1", "::ffff:192.0.2.1"], "192.0.2.1"),
        (["2001:db8:ffff::9", "192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "192.0.2.1, 10.0.0.2, , "], "192.0.2.1"),
        (["10.0.0.1", "6.6.6.6, unknown"], "10.0.0.1"),
        (["10.0.0.1", "6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        (["10.0.0.1", "unknown, 192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["10.0.0.1", "10.0.0.3"], "10.0.0.3"),
        (["10.0.0.1", "_hidden"], "10.0.0.1"),
        (["10.0.0.1", "-"], "10.0.0.1"),
        (["10.0.0.1", ""], "10.0.0.1"),
        (["10.0.0.1"], "10.0.0.1"),
        (["192.0.2.1, 10.0.0.1"], "192.0.2.1"),
        (["6.6.6.6, 192.0.2.1, 10.0.0.2, 10.0.0.1"], "192.0.2.1"),
        (["10.0.0.2, 10.0.0.1", "192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1, 203.0.113.9", "192.0.2.1"], "203.0.113.9"),
        (["192.0.2.1, 10.0.0.1, -"], "192.0.2.1"),
        ([None, "6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (["unix:", "192.0.2.1"], "192.0.2.1"),
        (["dialup-7.attacker.example", "192.0.2.1"], None),
        (["-", "10.0.0.2, unknown"], None),
        ([None, "unknown"], None),
        ([None], None),
        # Forwarded (RFC 7239), and as nginx logs its quotation marks
        (["10.0.0.1", None, "for=192.0.2.1;proto=https;by=10.0.0.1"], "192.0.2.1"),
        (["10.0.0.1", None, 'For="[2001:db8::1]:443"; Proto=http'], "2001:db8::1"),
        (["10.0.0.1", None, "for=\\x22[2001:db8::1]:443\\x22"], "2001:db8::1"),
        (["10.0.0.1", None, "for=6.6.6.6, for=192.0.2.1:80, for=10.0.0.2"], "192.0.2.1"),
        (["10.0.0.1", None, "for=6.6.6.6;for=192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "-", "for=192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "192.0.2.1", "for=6.6.6.6"], "192.0.2.1"),
        (["10.0.0.1", None, "for=6.6.6.6, for=unknown"], "10.0.0.1"),
        (["10.0.0.1", None, "for=6.6.6.6, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (["10.0.0.1", None, "for=6.6.6.6, proto=https"], "10.0.0.1"),
        (["10.0.0.1", None, "192.0.2.1"], "10.0.0.1"),
        (["10.0.0.1", None, ""], "10.0.0.1"),
        # CF-Connecting-IP, True-Client-IP
        (["10.0.0.1", None, None, "192.0.2.1"], "192.0.2.1"),
        (["10.0.0.1", "192.0.2.2", None, "192.0.2.1"], "192.0.2.2"),
        (["203.0.113.9", None, None, "192.0.2.1"], "203.0.113.9"),
    ],
)
def test_clients(row: list[str | None], expected: str | None) -> None:
    assert client(*row) == expected


@pytest.mark.parametrize("trailer", ['a"b', 'for="6.6.6.6', "\\x22", '"', "for=", ';;"', "\\"])
def test_a_quotation_mark_hides_nothing_appended_after_it(trailer: str) -> None:
    assert client("10.0.0.1", None, f"{trailer}, for=192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize(
    "host",
    ["x, for=6.6.6.6", "x;for=6.6.6.6", '\\", for=6.6.6.6, x=\\"', '\\";for=6.6.6.6;a=\\"y'],
)
def test_a_forged_host_forwarded_in_quotation_marks_is_not_believed(host: str) -> None:
    for field in (f'for=192.0.2.1;host="{host}"', f'for=192.0.2.1;host="{host}";proto=https'):
        assert client("10.0.0.1", None, field) in {"192.0.2.1", "10.0.0.1"}
        escaped = field.replace("\\", "\\x5C").replace('"', "\\x22")
        assert client("10.0.0.1", None, escaped) in {"192.0.2.1", "10.0.0.1"}


def test_without_trusted_proxies_headers_say_nothing() -> None:
    headers = ["192.0.2.1", "for=192.0.2.1", "192.0.2.1"]
    assert client("10.0.0.1", *headers, proxies=[]) == "10.0.0.1"
    assert client(None, *headers, proxies=[]) is None
    assert client("192.0.2.1, 10.0.0.1", proxies=[]) == "10.0.0.1"


def test_networks_of_clients() -> None:
    assert columns([["10.0.0.1", "192.0.2.77"], ["10.0.0.1", "[2001:db8:1:2:3::4]:1"]]) == [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ]


def test_a_long_field_is_read_from_its_end() -> None:
    forged = ", ".join(["6.6.6.6"] * 10_000)
    assert client("10.0.0.1", f"{forged}, 192.0.2.1, 10.0.0.2") == "192.0.2.1"
    assert client("10.0.0.1", "10.0.0.2," * 10_000) == "10.0.0.2"
    assert client("10.0.0.1", "1" * 100_000) == "10.0.0.1"
    assert client("10.0.0.1", None, f"{'x' * 100_000}, for=192.0.2.1") == "192.0.2.1"


def test_only_the_columns_that_a_log_has() -> None:
    frame = pl.DataFrame({"client": ["10.0.0.1", "203.0.113.9"], "forwarded_for": ["8.8.8.8"] * 2})
    address, _ = ClientAddresses(PROXIES).columns(frame)
    assert address.to_list() == ["8.8.8.8", "203.0.113.9"]
    address, _ = ClientAddresses(PROXIES).columns(frame.select("client"))
    assert address.to_list() == ["10.0.0.1", "203.0.113.9"]
    address, _ = ClientAddresses(PROXIES).columns(frame.clear())
    assert address.to_list() == []


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
proxies = st.sampled_from(
    ["10.0.0.1", "10.9.9.9", "198.51.100.7", "2001:db8:ffff::1", "[::ffff:10.0.0.1]:80"]
)
garbage = st.sampled_from(
    ["unknown", "_hidden", "x", "1.2.3", "-", "'", '"', "for=1.1.1.1", "999.1.1.1"]
)
forged = st.lists(st.one_of(addresses, proxies, garbage, st.text(max_size=12)), max_size=6).map(
    ", ".join
)


def is_proxy(address: str) -> bool:
    return ClientAddresses(PROXIES).trusts(address)


@settings(deadline=None)
@given(forged, forged, addresses, st.sampled_from(sorted(HEADERS)))
def test_a_client_cannot_forge_its_address_to_a_server(
    one: str, other: str, peer: str, name: str
) -> None:
    assume(not is_proxy(peer))
    at = NAMES.index(name)
    rows = [[peer, *[None] * (at - 1), field] for field in (one, other)]
    assert columns(rows) == columns([[peer], [peer]])


@settings(deadline=None)
@given(forged, addresses, st.lists(proxies, max_size=4), st.booleans())
def test_a_client_cannot_forge_its_address_to_proxies(
    made_up: str, real: str, chain: list[str], rfc: bool
) -> None:
    """The first proxy appends the client that it saw, each later one the proxy before it."""
    assume(not is_proxy(real))
    hops = [real, *chain]
    if rfc:
        said = [
            f'for="[{hop}]"' if ":" in hop and "[" not in hop else f'for="{hop}"' for hop in hops
        ]
        row = ["10.0.0.1", None, ", ".join([made_up, *said])]
    else:
        row = ["10.0.0.1", ", ".join([made_up, *hops])]
    address = ipaddress.ip_address(real)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert columns([row])[0][0] == str(mapped or address)


@settings(deadline=None)
@given(forged, forged, garbage, st.lists(proxies, min_size=1, max_size=4))
def test_nothing_left_of_an_unreadable_hop_counts(
    one: str, other: str, unreadable: str, chain: list[str]
) -> None:
    rows = [["10.0.0.1", ", ".join([made_up, unreadable, *chain])] for made_up in (one, other)]
    first, second = columns(rows)
    assert first == second
    assert first[0] is not None
    assert is_proxy(first[0])


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.none(), forged, addresses, proxies), min_size=4, max_size=4),
        max_size=5,
    )
)
def test_clients_do_not_depend_on_their_neighbours(rows: list[list[str | None]]) -> None:
    assert columns(rows) == [columns([row])[0] for row in rows]


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("proxy.example.com", "'proxy.example.com' is no trusted proxy: expected an address"),
        ("10.0.0.1/8", "did you mean 10.0.0.0/8"),
        ("10.0.0.0/33", "expected an address"),
        ("", "'' is no trusted proxy"),
        ("0.0.0.0/0", "trusts every address"),
        ("::/0", "trusts every address"),
    ],
)
def test_wrong_trusted_proxies_are_refused(entry: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        ClientAddresses(["10.0.0.1", entry])


@pytest.mark.parametrize(
    ("entry", "trusted", "not_trusted"),
    [
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("2001:DB8::/32", "2001:db8:5::1", "2001:db9::1"),
        ("::ffff:10.0.0.0/104", "10.255.255.255", "11.0.0.0"),
        (" private ", "192.168.4.5", "192.0.2.1"),
        ("Private", "fd00::1", "2600::1"),
        ("private", "100.64.0.1", "100.128.0.1"),
        ("private", "127.9.9.9", "203.0.113.1"),
        ("private", "::1", "::2"),
    ],
)
def test_trusted_proxies(entry: str, trusted: str, not_trusted: str) -> None:
    trust = ClientAddresses([entry])
    assert trust.trusts(trusted)
    assert not trust.trusts(not_trusted)
    assert not trust.trusts("unknown")


@settings(deadline=None)
@given(st.lists(st.one_of(addresses, st.none(), garbage)))
def test_ranges_hold_what_their_networks_hold(texts: list[str | None]) -> None:
    for entries in (PRIVATE, SPECIAL, ("203.0.113.0/24",), ()):
        networks = [ipaddress.ip_network(entry) for entry in entries]
        expected = []
        for text in texts:
            try:
                address = ipaddress.ip_address(text or "")
            except ValueError:
                expected.append(False)
                continue
            if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
                address = address.ipv4_mapped
            expected.append(any(address in network for network in networks))
        column = pl.Series(texts, dtype=pl.String)
        assert AddressRanges(entries).contain(column).to_list() == expected
