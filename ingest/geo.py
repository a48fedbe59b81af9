"""Where addresses are: country, city, autonomous system, and whether they hide who uses them."""

import hashlib
import importlib.metadata
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import iptocc
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from ingest.address_ranges import SPECIAL, AddressRanges
from ingest.location import location_of
from ingest.mmdb import Identity, Mmdb, MmdbError, identity_of, open_mmdb

GEO_SCHEMA: Final = pl.Schema(
    {
        "country": pl.String(),  # ISO 3166-1 alpha-2
        "city": pl.String(),  # English name
        "location": pl.String(),  # "latitude,longitude,radius" (ingest.location)
        "asn": pl.Int64(),
        "anonymous": pl.String(),  # one of ANONYMOUS
    }
)

#: Ways to hide who uses an address, the most telling first: name, and the flags that say so.
ANONYMOUS: Final[Mapping[str, Sequence[str]]] = {
    "tor": ("is_tor_exit_node", "tor"),
    "vpn": ("is_anonymous_vpn", "vpn"),
    "proxy": ("is_public_proxy", "proxy"),
    "hosting": ("is_hosting_provider", "hosting"),
    "residential_proxy": ("is_residential_proxy",),
}

Key = Literal["country", "city", "asn", "anonymous"]
_KEYS: Final[tuple[Key, ...]] = ("country", "city", "asn", "anonymous")

#: What the type of a file may be named after that has not what the key is for.
_OTHER_KINDS: Final[Mapping[Key, Sequence[str]]] = {
    "country": ("asn", "anonymous"),
    "city": ("country", "asn", "anonymous"),
    "asn": ("country", "city", "anonymous"),
    "anonymous": ("country", "city", "asn"),
}

#: Files that may say where addresses are, and how many of their networks are asked whether they do.
_WITH_PLACES: Final[tuple[Key, ...]] = ("city", "country")
_SAMPLED: Final = 10_000

#: Addresses remembered across batches.
_REMEMBERED: Final = 1 << 16
_ADDRESS: Final = "address"
_COUNTRY_LENGTH: Final = 2
_SPECIAL: Final = AddressRanges(SPECIAL)


class GeoError(Exception):
    """A geo file cannot be used; the message names the setting and the file, and what to do."""


class GeoSettings(BaseModel):
    """MaxMind DB files, and whether bundled labels stand in for a file with countries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: Path | None = Field(default=None, description="MaxMind DB file with countries")
    city: Path | None = Field(default=None, description="MaxMind DB file with cities and countries")
    asn: Path | None = Field(default=None, description="MaxMind DB file with autonomous systems")
    anonymous: Path | None = Field(
        default=None, description="MaxMind DB file with VPNs, proxies, Tor exits and hosting"
    )
    bundled: bool = Field(
        default=True,
        description="Without a file with countries, label addresses with the country that their"
        " network is registered in",
    )

    @property
    def country_is_bundled(self) -> bool:
        """Whether countries are labels of registries: good to show, too coarse to alert on."""
        return self.bundled and self.country is None and self.city is None


class Place(NamedTuple):
    """What is known of one address, in the order of GEO_SCHEMA."""

    country: str | None
    city: str | None
    location: str | None
    asn: int | None
    anonymous: str | None


_NOWHERE: Final = Place(None, None, None, None, None)


class GeoData:
    """Geo data of addresses, each looked up once and then remembered.

    Any number of threads may call `columns` while another calls `reload`.
    """

    def __init__(self, settings: GeoSettings) -> None:
        """Open the files. Raises GeoError."""
        self._paths: dict[Key, Path] = {
            key: path for key in _KEYS if (path := getattr(settings, key)) is not None
        }
        self._wants_bundled = settings.bundled
        self._lock = threading.Lock()
        self._problems: dict[Key, str] = {}
        self._tried: dict[Key, Identity] = {}
        files = {}
        for key, path in self._paths.items():
            try:
                files[key] = _opened(key, path)
            except MmdbError as error:
                raise GeoError(_problem(key, path, error)) from error
        self._data = _Data(files, self._wants_bundled)

    @property
    def country_is_bundled(self) -> bool:
        """Whether countries are labels of registries: good to show, too coarse to alert on."""
        return self._data.bundled

    @property
    def has_locations(self) -> bool:
        """Whether the first networks of the files with countries have coordinates of cities."""
        return any(self._data.has_locations(key) for key in _WITH_PLACES)

    @property
    def fingerprint(self) -> str:
        """Text that changes when the data does."""
        return self._data.fingerprint

    @property
    def problems(self) -> list[str]:
        """What is wrong with files that were replaced since; the data before is still in use."""
        found = list(self._problems.values())
        damaged = self._data.damaged
        return found + [
            _problem(key, self._paths[key], error) for key, error in tuple(damaged.items())
        ]

    def columns(self, client_ip: pl.Series) -> pl.DataFrame:
        """Return a frame of GEO_SCHEMA for canonical addresses, row for row.

        Null where nothing is known, and for private, documentation and reserved addresses.
        """
        data = self._data
        if data.is_empty:
            return _nothing(client_ip.len())
        asked = client_ip.rename(_ADDRESS)
        known = data.known(asked.drop_nulls().unique())
        found = asked.to_frame().join(known, on=_ADDRESS, how="left", maintain_order="left")
        return found.select(GEO_SCHEMA.names())

    def reload(self) -> bool:
        """Open files that were replaced on disk; return whether the data changed.

        A replacement that cannot be used leaves the data as it was, and is among `problems`.
        """
        with self._lock:
            files, changed = dict(self._data.files), False
            for key, path in self._paths.items():
                try:
                    identity = identity_of(path)
                    if identity == files[key].identity:
                        self._problems.pop(key, None)
                        continue
                    if key in self._problems and self._tried.get(key) == identity:
                        continue
                    self._tried[key] = identity
                    files[key] = _opened(key, path)
                except MmdbError as error:
                    self._problems[key] = _problem(key, path, error)
                else:
                    self._problems.pop(key, None)
                    changed = True
            if changed:
                self._data = _Data(files, self._wants_bundled)
            return changed


class _Data:
    """The files in use at one time, and what was found in them."""

    def __init__(self, files: Mapping[Key, Mmdb], wants_bundled: bool) -> None:
        self.files = files
        self.bundled = wants_bundled and not {"city", "country"} & set(files)
        self.is_empty = not files and not self.bundled
        self.damaged: dict[Key, MmdbError] = {}
        parts = [f"{key} {file.digest}" for key, file in sorted(files.items())]
        if self.bundled:
            parts.append(f"iptocc {importlib.metadata.version('iptocc')}")
        self.fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        self._known = _nothing(0).with_columns(pl.Series(_ADDRESS, [], dtype=pl.String))

    def known(self, distinct: pl.Series) -> pl.DataFrame:
        """Return a frame of GEO_SCHEMA and `address` that has at least these addresses.

        Two threads at once may forget what the other one found; then it is looked up again.
        """
        known = self._known
        fresh = distinct.to_frame().join(known, on=_ADDRESS, how="anti")[_ADDRESS]
        if len(fresh):
            known = pl.concat([known, self._places(fresh).with_columns(fresh)])
            if known.height > _REMEMBERED:
                known = known.join(distinct.to_frame(), on=_ADDRESS, how="semi")
            self._known = known
        return known

    def _places(self, distinct: pl.Series) -> pl.DataFrame:
        anywhere = (distinct.is_not_null() & ~_SPECIAL.contain(distinct)).to_list()
        texts = distinct.to_list()
        if self.files:
            places = [
                self._place(address) if asked else _NOWHERE
                for address, asked in zip(texts, anywhere, strict=True)
            ]
            frame = pl.DataFrame(places, schema=GEO_SCHEMA, orient="row")
        else:
            frame = _nothing(len(texts))
        if self.bundled:
            # It knows no address "", nor any special one.
            asked = [text if real else "" for text, real in zip(texts, anywhere, strict=True)]
            labels = iptocc.country_code(asked)
            frame = frame.with_columns(pl.Series("country", labels, dtype=pl.String))
        return frame

    def _place(self, address: str) -> Place:
        city = self._record("city", address)
        location = _location(city)
        land = {} if location and _country(city) else self._record("country", address)
        asn, anonymous = self._record("asn", address), self._record("anonymous", address)
        return Place(
            _country(city) or _country(land),
            _city(city),
            location or _location(land),
            _asn(asn),
            _anonymous(anonymous),
        )

    def has_locations(self, key: Key) -> bool:
        """Whether the first networks of a file have coordinates; damage is noted."""
        file = self.files.get(key)
        try:
            records = file.first(_SAMPLED) if file is not None else []
        except MmdbError as error:
            self.damaged[key] = error
            return False
        return any(_location(record) for record in records if isinstance(record, dict))

    def _record(self, key: Key, address: str) -> Mapping[str, Any]:
        file = self.files.get(key)
        if file is None:
            return {}
        try:
            record = file.look_up(address)
        except MmdbError as error:
            self.damaged[key] = error
            return {}
        return record if isinstance(record, dict) else {}


def _opened(key: Key, path: Path) -> Mmdb:
    file = open_mmdb(path)
    kind = file.database_type.lower()
    if key not in kind and any(other in kind for other in _OTHER_KINDS[key]):
        raise MmdbError(f"this is a {file.database_type[:40]!r} file, which has no {key} data")
    return file


def _problem(key: Key, path: Path, error: MmdbError) -> str:
    return f"geo.{key}: {path}: {error}; give the path of a MaxMind DB file (.mmdb), or remove it"


def _nothing(height: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            pl.Series(name, [None], dtype=dtype).new_from_index(0, height)
            for name, dtype in GEO_SCHEMA.items()
        ]
    )


def _country(record: Mapping[str, Any]) -> str | None:
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else country
    if isinstance(code, str) and len(code) == _COUNTRY_LENGTH and code.isascii() and code.isalpha():
        return code.upper()
    return None


def _city(record: Mapping[str, Any]) -> str | None:
    city = record.get("city")
    names = city.get("names") if isinstance(city, dict) else None
    name = names.get("en") if isinstance(names, dict) else city
    return name if isinstance(name, str) and name else None


def _location(record: Mapping[str, Any]) -> str | None:
    """Return the coordinates of a city; those of a record without one are the middle of a land."""
    return location_of(record) if _city(record) is not None else None


def _asn(record: Mapping[str, Any]) -> int | None:
    number = record.get("autonomous_system_number", record.get("asn"))
    if isinstance(number, str):
        digits = number.removeprefix("AS")
        number = int(digits) if digits.isascii() and digits.isdecimal() else None
    return number if isinstance(number, int) and 0 < number < 1 << 32 else None


def _anonymous(record: Mapping[str, Any]) -> str | None:
    for name, flags in ANONYMOUS.items():
        if any(record.get(flag) in {True, "true"} for flag in flags):
            return name
    return None
