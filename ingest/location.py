"""Coordinates of addresses, as coarse as they are known: ECS `client.geo.location`, with a radius.

Kept as text, "latitude,longitude,radius": tenths of a degree, and whole kilometres within which the
address is. The radius covers the rounding, so that it is never less than the geo data say.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

#: The radius of coordinates without one (km): databases are often wrong by a region.
UNKNOWN_RADIUS_KM: Final = 200

#: How far rounding to tenths of a degree may move a point (km), along both axes at once.
_ROUNDING_KM: Final = 8

_POLE: Final = 90
_DATE_LINE: Final = 180

#: Farther than from anywhere to anywhere.
_ANYWHERE_KM: Final = 20_016


def location_of(record: Mapping[str, Any]) -> str | None:
    """Return the coordinates of a record of a MaxMind DB; None if it has none that can be.

    Coordinates are in `location`, as with MaxMind and DB-IP, or in `lat` and `lng`, as with IPinfo.
    """
    found = record.get("location")
    at = found if isinstance(found, dict) else record
    latitude = _number(at.get("latitude", at.get("lat")))
    longitude = _number(at.get("longitude", at.get("lng")))
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    if abs(latitude) > _POLE or abs(longitude) > _DATE_LINE:
        return None
    radius = _number(at.get("accuracy_radius", at.get("radius")))
    known = UNKNOWN_RADIUS_KM if radius is None or radius <= 0 else math.ceil(radius)
    # Adding 0.0 makes no -0.0 of what is rounded to zero.
    return (
        f"{round(latitude, 1) + 0.0},{round(longitude, 1) + 0.0}"
        f",{min(known + _ROUNDING_KM, _ANYWHERE_KM)}"
    )


def _number(value: object) -> float | None:
    """Return a finite number, also of a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
