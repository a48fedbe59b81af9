"""What findings say about a spike: what was expected, and what would not have been told."""

from datetime import timedelta
from typing import Final

from detectors.curves import Curve, Point
from detectors.detector import Detector
from detectors.findings import EntityType, Finding
from detectors.learned.spikes.scores import DOWN, Violation
from detectors.learned.spikes.table import Told
from ingest.times import moment

_TYPES: Final[dict[str, EntityType]] = {"all": "all", "service": "service", "route": "route"}
_MINUTE: Final = 60_000_000
_ONE_IN: Final = 10**12


def finding(told: Told, detector: Detector, length: int) -> Finding:
    """Return the finding about a violation of a series whose panes are so long (us)."""
    each = told.violation
    kind, entity = told.entity
    end = told.time + length
    value, threshold, usual = each.counted, each.limit, round(each.expected)
    if each.side == DOWN:
        value, threshold, usual = usual - each.counted, usual - each.limit, 0
    return Finding(
        detector=detector.name,
        entity_type=_TYPES[kind],
        entity=entity,
        first=moment(each.began),
        last=moment(end - 1),
        value=value,
        threshold=threshold,
        unit=detector.unit,
        window=detector.window,
        level=detector.level,
        mode=detector.mode,
        tags=detector.tags,
        reached=moment(end),
        note=note(each, detector, length),
        curve=Curve((Point(end, value, threshold, usual),)),
    )


def note(each: Violation, detector: Detector, length: int) -> str:
    """Return what was expected, the interval, and the chance, in a sentence."""
    what = "requests" if each.side == DOWN else detector.unit
    if each.ends:
        return (
            f"Level changed: {each.counted:,} {what} since it began, where {each.expected:,.0f}"
            " were expected; it has lasted for 24 h and is what is expected from now on"
        )
    span = _span(each.panes * length)
    if each.goes_on:
        return (
            f"Goes on: {each.counted:,} {what} in {span}, {_number(each.expected)} expected; over"
            f" when it has been back at {each.limit:,} for as long"
        )
    limit = f"down to {each.limit + 1:,}" if each.side == DOWN else f"up to {each.limit - 1:,}"
    return (
        f"{each.counted:,} {what} in {span}; {_number(each.expected)} expected at this hour,"
        f" {limit} would be usual (chance {_chance(each.chance)})"
    )


def _span(length: int) -> str:
    minutes = timedelta(microseconds=length) // timedelta(minutes=1)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def _number(value: float) -> str:
    if value >= 10:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.1 else "almost none"  # noqa: PLR2004


def _chance(value: float) -> str:
    """Return a small probability as people say it: 1 in 20,000, two figures of it."""
    if value * _ONE_IN <= 1:
        return "less than 1 in a million millions"
    one_in = 1 / value
    digits = len(str(int(one_in))) - 2
    return f"1 in {round(one_in, -digits):,.0f}"
