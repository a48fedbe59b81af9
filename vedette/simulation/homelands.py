"""Countries and AS numbers of addresses, as a gateway with geo data writes them in its log."""

from typing import Final

import polars as pl

from vedette.simulation.events import SIMULATED_SCHEMA

#: Networks (first two octets) in which regulars are at home, by country, and the next ones where
#: they have several; nobody else lives there.
HOME_NETWORKS: Final = {
    "AT": "62.46", "DE": "84.160", "ES": "88.0", "FR": "86.192", "GB": "81.128", "IT": "87.0",
    "NL": "84.24", "PL": "79.184", "US": "76.96",
}  # fmt: skip

#: Networks of further countries from which only scenarios come.
FAR_NETWORKS: Final = {"KP": "175.45"}

#: Countries of the networks of ordinary clients and of hosters, by the first octet or group.
_COUNTRIES: Final = {
    "24": "US", "45": "NL", "51": "FR", "68": "US", "73": "US", "81": "GB", "82": "GB",
    "83": "PL", "84": "AT", "86": "GB", "90": "FR", "98": "US", "104": "US", "113": "VN",
    "138": "US", "151": "IT", "167": "US", "179": "BR", "185": "NL", "186": "BR", "203": "TH",
    "2001": "FR", "2405": "IN", "2600": "US", "2601": "US", "2604": "US", "2804": "BR",
    "2a00": "GB", "2a01": "FR",
}  # fmt: skip
_MOST: Final = "DE"


#: AS numbers for private use: every /16, and every first group of IPv6, is somebody's own.
_PRIVATE_AS: Final = 4_200_000_000
_AS_OF_IPV6: Final = 65_521


def with_countries(events: pl.DataFrame) -> pl.DataFrame:
    """Return events (SIMULATED_SCHEMA) with country and AS in each row, and a scheme: https.

    What a scenario says of its country and scheme stays.
    """
    address = pl.col("client_ip")
    country = address.str.extract(r"^([0-9a-f]+)").replace_strict(
        _COUNTRIES, default=_MOST, return_dtype=pl.String
    )
    octets = [address.str.extract(r"^(\d+)\.(\d+)\.", place).cast(pl.Int64) for place in (1, 2)]
    group = address.str.extract(r"^([0-9a-f]+):").str.to_integer(base=16, dtype=pl.Int64)
    network = pl.coalesce(octets[0] * 256 + octets[1], (1 << 16) + group % _AS_OF_IPV6)
    return events.with_columns(
        pl.coalesce("country", country).alias("country"),
        pl.col("scheme").fill_null("https"),
        asn=(_PRIVATE_AS + network).cast(SIMULATED_SCHEMA["asn"]),
    )
