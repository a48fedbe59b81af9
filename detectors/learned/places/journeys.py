"""Leaps in words, and how sure they are."""

from collections.abc import Mapping
from typing import Any, Final

_SECOND_US: Final = 1_000_000
_MINUTE: Final = 60

#: From how many km and times the limit on a leap is told with this confidence.
_CONFIDENCE: Final = (("high", 3_000, 3), ("medium", 1_000, 1))

#: How a known operator begins (`arrivals`).
_SYSTEM: Final = "AS"


def journey(leap: Mapping[str, Any], limit: int) -> str:
    """Say from where to where a leap (`travel`) was, how fast at a limit (km/h), and how sure."""
    minutes, seconds = divmod(leap["gap"] // _SECOND_US, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    took = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    by = " by coordinates" if leap["located"] else ""
    return (
        f"From {_end(leap, 'from_')} to {_end(leap, '')} within {took}: at least"
        f" {leap['km']:,} km{by}, {leap['speed']:,} km/h; confidence {_sure(leap, limit)}"
    )


def _end(leap: Mapping[str, Any], end: str) -> str:
    """Return the country of one end, with its coordinates if the leap is measured by these."""
    country: str = leap[f"{end}country"]
    if not leap["located"]:
        return country
    latitude, longitude, _ = leap[f"{end}location"].split(",")
    return f"{country} ({latitude}, {longitude})"


def _sure(leap: Mapping[str, Any], limit: int) -> str:
    """Return how sure a leap is; one that only coordinates show is never certain."""
    sure = next(
        (
            word
            for word, km, times in _CONFIDENCE
            if leap["km"] >= km and leap["speed"] >= times * limit
        ),
        "low",
    )
    if not leap["short"]:
        return sure
    systems = all((leap[f"{end}operator"] or "").startswith(_SYSTEM) for end in ("from_", ""))
    return "medium" if systems and sure == "high" else sure if systems else "low"
