"""Lines that were never seen: a finding for each gap in the input.

A gap says from when to when; which of its two times is known decides what the finding spans. One
with neither is about nothing in time, and stays among the gaps only. That lines may be missing,
and nobody knows, is told at low level at most. The value is how many seconds were not wholly seen.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from detectors.detector import Detector
from detectors.findings import Finding, Level
from ingest.gaps import Gap
from ingest.times import moment

_SECOND_US: Final = 1_000_000


def missed_lines(gaps: Iterable[Gap], detector: Detector, fingerprint: str) -> list[Finding]:
    """Return the findings about gaps; the same gap, grown, gives the same finding, grown."""
    return list(_findings(gaps, detector, fingerprint))


def _findings(gaps: Iterable[Gap], detector: Detector, fingerprint: str) -> Iterator[Finding]:
    for gap in gaps:
        times = [time for time in (gap.since, gap.until) if time is not None]
        if not times or gap.lost == 0:
            continue
        seconds = max(-((min(times) - max(times)) // _SECOND_US), 1)
        excepted = max(times) < (detector.excepted_until(gap.partition) or 0)
        if excepted or seconds < detector.threshold:
            continue
        yield Finding(
            detector=detector.name,
            entity_type=detector.entity_type,
            entity=gap.partition,
            first=moment(min(times)),
            last=moment(max(times)),
            value=seconds,
            threshold=detector.threshold,
            unit=detector.unit,
            window=detector.window,
            level=min(detector.level, Level.LOW) if gap.lost is None else detector.level,
            mode=detector.mode,
            tags=detector.tags,
            fingerprint=fingerprint,
        )
