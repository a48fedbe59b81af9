"""All detectors as one: they see the same batches, and their state is one snapshot."""

from typing import Any

import polars as pl

from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from detectors.findings import Finding
from detectors.learned.families import Families
from detectors.overrides import RuleOverride
from ingest.events import READING_SCHEMA, Batch
from tests.detectors.learned.tally import BUSIEST_DAY, Tally
from tests.detectors.streams import LATENESS, START, event, frame, micros, told

DAY = 86_400
CATALOGUE = load_catalogue()


def learning(**changes: Any) -> Detection:
    return Detection(CATALOGUE, {}, Families([Tally()], "tally"), **changes)


def batch(second: float, *events: dict[str, Any], **counts: int) -> Batch:
    """Some events and readings of one source, and the watermark after them."""
    time = micros(START) + int(second * 1e6)
    reading = dict.fromkeys(READING_SCHEMA.names()[2:], 0) | {"first": time, "last": time} | counts
    rows = [{"partition": "p", "tick": False, **reading}]
    return Batch(frame(events), time - LATENESS, pl.DataFrame(rows, schema=READING_SCHEMA))


def days(*sizes: int) -> list[Batch]:
    """A day for each size, with so many requests."""
    return [
        batch(
            day * DAY + DAY / 3,
            *(event(day * DAY + n, path=f"/none/{n}", status=404) for n in range(size)),
            events=size,
            unread=200 if day == 1 else 0,
        )
        for day, size in enumerate(sizes)
    ]


def names(found: list[Finding]) -> set[str]:
    return {each.detector for each in found}


def test_rules_sources_and_what_is_learned_are_judged() -> None:
    detection = learning()
    found = [f for each in days(50, 80, 20) for f in detection.process(each)]
    found += detection.finish()
    assert {"missing_path_scan", "unparsed_lines", "busiest_day"} <= names(found)
    assert {each.fingerprint for each in found} == {detection.fingerprint}


def test_panes_wait_for_a_watermark() -> None:
    detection = learning()
    for each in days(50, 80, 20):
        assert "busiest_day" not in names(detection.judge(detection.aggregate(each), None))
    assert "busiest_day" in names(detection.finish())


def test_a_snapshot_has_all_of_it() -> None:
    detection, other = learning(), learning()
    for each in days(50, 80):
        detection.process(each)
    assert other.restore(detection.snapshot()) == []
    (last,) = days(1, 1, 90)[2:]
    found = [*detection.process(last), *detection.finish()]
    assert told([*other.process(last), *other.finish()]) == told(found)
    assert [f.note for f in found if f.detector == "busiest_day"][-1] == "At most 80 before."


def test_what_is_not_in_a_snapshot_begins_anew() -> None:
    plain = Detection(CATALOGUE)
    assert learning().restore(plain.snapshot()) == [BUSIEST_DAY.name]
    assert plain.restore(learning().snapshot()) == []


def test_the_fingerprint_tells_all_that_decides_findings() -> None:
    detection = learning()
    seen = {
        detection.fingerprint,
        Detection(CATALOGUE).fingerprint,
        Detection(CATALOGUE, {"clock_skew": RuleOverride(threshold=7)}).fingerprint,
        Detection(CATALOGUE, {}, Families([Tally()], "other")).fingerprint,
    }
    detection.under("geo data of today")
    assert len(seen | {detection.fingerprint}) == 5
    assert learning(prompt=False).fingerprint in seen
