"""Keyed hashes that stand for API keys always, and for users and clients if the settings say so."""

import hmac
from collections.abc import Mapping
from typing import Final, Literal

import polars as pl

from ingest.distinct import Distinct
from ingest.networks import canonical_address

#: What can be kept under a pseudonym: `client_ip` takes `client_network` along.
Personal = Literal["user", "client_ip"]

#: Event columns that hold pseudonyms, and how each of theirs begins.
PREFIXES: Final[Mapping[str, str]] = {
    "api_key": "key",
    "user": "user",
    "client_ip": "client",
    "client_network": "network",
}

_LABEL: Final = b"vedette pseudonyms 1"
_KEY_BYTES: Final = 32
_HEX_DIGITS: Final = 16


class Pseudonyms:
    """Replaces values by "user-0123456789abcdef" and the like.

    The same value has the same pseudonym for as long as the secret is the same, so that counts
    and incidents are unchanged. Without the secret nobody can tell whom a pseudonym stands for,
    not even by trying all addresses.
    """

    def __init__(self, secret: bytes, columns: frozenset[Personal] = frozenset()) -> None:
        """Derive the key from the server's secret. Raises ValueError if that is too short."""
        if len(secret) < _KEY_BYTES:
            raise ValueError(f"the secret of pseudonyms must have {_KEY_BYTES} bytes or more")
        self._key = hmac.digest(secret, _LABEL, "sha256")
        self._columns: list[str] = [name for name in ("user", "client_ip") if name in columns]
        if "client_ip" in columns:
            self._columns.append("client_network")

    @property
    def pseudonymises(self) -> bool:
        """Whether the settings name a column."""
        return bool(self._columns)

    def api_keys(self, values: pl.Series) -> pl.Series:
        """Return "key-<16 hex digits>" for each API key; null stays null."""
        return self._series("api_key", values)

    def apply(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the events with pseudonyms in the columns that the settings name.

        `events` has those columns, as text; null stays null. The pseudonym of a network depends
        on the network only. What was a pseudonym before gets another one: apply this once.
        """
        return events.with_columns(self._series(name, events[name]) for name in self._columns)

    def pseudonym(self, column: str, value: str) -> str:
        """Return what stands for a value of an event column of PREFIXES, to look somebody up.

        Addresses may be in any spelling. Raises ValueError for another column or no address.
        """
        if column not in PREFIXES:
            raise ValueError(f"{column!r} has no pseudonyms: choose of {', '.join(PREFIXES)}")
        if column == "client_ip":
            address = canonical_address(value)
            if address is None:
                raise ValueError("a pseudonym of client_ip needs an address, as 203.0.113.7")
            value = address
        return self._text(column, value)

    def _series(self, column: str, values: pl.Series) -> pl.Series:
        distinct = Distinct.of(values.rename("value").to_frame())
        texts = [
            None if value is None else self._text(column, value) for value in distinct.rows["value"]
        ]
        return distinct.spread(pl.Series(texts, dtype=pl.String)).rename(values.name)

    def _text(self, column: str, value: str) -> str:
        digest = hmac.digest(self._key, f"{column}\x00{value}".encode(), "sha256")
        return f"{PREFIXES[column]}-{digest.hex()[:_HEX_DIGITS]}"
