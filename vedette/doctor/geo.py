"""Geo data: files that can be used, and how old they are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import maxminddb
from maxminddb import InvalidDatabaseError

from ingest.geo import GeoData, GeoError
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

#: Networks move: data older than this places many of them wrongly.
OLD: Final = timedelta(days=90)


def check_geo(at: Surroundings) -> Iterator[Remark]:
    """Open what the settings name, and say when it was made."""
    geo = at.settings.geo
    given = {name: getattr(geo, name) for name in ("country", "city", "asn", "anonymous")}
    files = {name: path for name, path in given.items() if path is not None}
    if not files and not geo.bundled:
        yield skipped("there is none: events have no country")
        return
    try:
        data = GeoData(geo)
    except GeoError as error:
        seen, _, advice = str(error).rpartition("; ")
        yield fail(seen, advice)
        return
    if geo.country_is_bundled:
        yield ok("countries from the bundled register: good for labels, too coarse to alert on")
        yield _judged(at.settings.countries.reliable)
    for name, path in files.items():
        yield _age(name, path, at.now)
    if not geo.country_is_bundled:
        yield _measured(has_locations=data.has_locations)
    for problem in data.problems:
        seen, _, advice = problem.rpartition("; ")
        yield fail(seen, advice)


def _measured(*, has_locations: bool) -> Remark:
    """Say what distances of impossible travel are measured by."""
    if has_locations:
        return ok("cities have coordinates: impossible travel sees leaps within a country, too")
    return skipped(
        "no coordinates of cities: impossible travel sees leaps between countries only; give"
        " geo.city an MMDB file with coordinates to see those within one"
    )


def _judged(reliable: bool | None) -> Remark:
    """Say what becomes of detectors that need countries, if these are bundled labels."""
    if reliable:
        return ok("countries.reliable = true: impossible travel and countries are alerted on")
    return skipped(
        "impossible travel is off, and first-seen users and keys, blocked, unexpected and new"
        " countries are in monitor mode: registers often do not know where an address is; give"
        " geo.country or geo.city an MMDB file, or say countries.reliable = true"
    )


def _age(name: str, path: Path, now: datetime) -> Remark:
    try:
        made = _made(path)
    except (InvalidDatabaseError, OSError, ValueError, OverflowError) as error:
        return fail(f"geo.{name}: {path}: {type(error).__name__}", "replace the file")
    age = now - made
    seen = f"geo.{name}: {path}: made {made:%Y-%m-%d}, {age.days} days ago"
    if age > OLD:
        return warn(seen, "replace the file by a newer one; the service takes it up by itself")
    return ok(seen)


def _made(path: Path) -> datetime:
    with maxminddb.open_database(path) as database:
        return datetime.fromtimestamp(database.metadata().build_epoch, UTC)
