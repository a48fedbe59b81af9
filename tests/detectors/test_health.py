"""Silent sources, unreadable lines and wrong times: what they find, however readings are cut."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.detector import DetectorSettingsError
from detectors.findings import Finding, Level
from detectors.health import STALE_US, SourceHealth
from detectors.overrides import RuleOverride
from detectors.registry import DETECTORS, HEALTH, active_detectors, rule_overrides
from ingest.events import READING_SCHEMA

from .streams import START, Claim, claims, micros

SECOND = 1_000_000
MINUTE = 60 * SECOND
ZERO = micros(START)

Row = dict[str, Any]


def lines(second: float, events: int = 1, source: str = "p", **counts: int) -> Row:
    """Lines of a source at one moment, so many seconds after START."""
    time = ZERO + round(second * SECOND)
    none = {"late": 0, "future": 0, "unread": 0}
    row = {"partition": source, "tick": False, "first": time, "last": time, "events": events}
    return row | none | counts


def tick(second: float, source: str = "p") -> Row:
    return lines(second, 0, source) | {"tick": True}


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Rows as ingest gives them: lines of one slot, between two ticks, are one row."""
    merged: list[Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        if (
            last is not None
            and not (row["tick"] or last["tick"])
            and row["partition"] == last["partition"]
            and row["first"] // (10 * SECOND) == last["first"] // (10 * SECOND)
        ):
            counts = ("events", "late", "future", "unread")
            merged[-1] = last | {"last": row["last"]} | {n: last[n] + row[n] for n in counts}
        else:
            merged.append(row)
    return pl.DataFrame(merged, schema=READING_SCHEMA)


def run(
    batches: Sequence[Sequence[Row]],
    overrides: Mapping[str, RuleOverride] | None = None,
    *,
    restore_after: frozenset[int] = frozenset(),
) -> list[Claim]:
    health = SourceHealth(overrides)
    found: list[Finding] = []
    for number, batch in enumerate(batches):
        found += health.judge(frame(batch))
        if number in restore_after:
            state = json.loads(json.dumps(health.snapshot()))
            health = SourceHealth(overrides)
            assert health.restore(state) == []
    return claims(found + health.finish())


def regular(until: float = 1800, source: str = "p") -> list[Row]:
    """A line every ten seconds."""
    return [lines(second, source=source) for second in range(0, int(until), 10)]


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def test_a_regular_source_that_has_no_more_lines_is_silent() -> None:
    ticks = [tick(1800 + second) for second in range(1201)]
    assert run([[*regular(), *ticks[:900]]]) == []
    (claim,) = run([regular(), ticks])
    assert claim == (("source_silent", "source", "p"), at(1800), at(3000), 20, 15)


def test_the_end_of_files_is_no_silence() -> None:
    assert run([regular(), regular(7200, "q")]) == []


def test_silence_ends_when_lines_return() -> None:
    back = [lines(4000 + second) for second in range(3)]
    more = [tick(4010 + second) for second in range(3600)]
    (claim,) = run([regular(), [tick(1800 + n) for n in range(1000)], back, more])
    assert claim[1:4] == (at(1800), at(2799), 16)


def test_silence_is_told_now_and_then_not_at_every_tick() -> None:
    health = SourceHealth()
    health.judge(frame(regular()))
    told = [f.value for n in range(3600) for f in health.judge(frame([tick(1800 + n)]))]
    assert told == [15, 20, 25, 30, 35, 40, 45, 50, 55]


def test_silence_counts_ticks_not_how_old_the_lines_are() -> None:
    """A shipper is a day behind: the first tick is no proof of a day's silence."""
    day = 86_400
    assert run([[*regular(), tick(day), tick(day + 800)]]) == []
    (claim,) = run([[*regular(), tick(day), tick(day + 900)]])
    assert claim[1] == at(day)


@pytest.mark.parametrize(
    "before",
    [
        regular(1500),  # not for long enough
        [lines(second) for second in range(0, 1800, 400)],  # rare visitors
        [lines(second, 0, unread=1) for second in range(0, 1800, 10)],  # nothing that was read
        [*regular(900), *(lines(1200 + second) for second in range(0, 600, 10))],  # with a gap
    ],
)
def test_a_source_that_was_not_regular_is_not_missed(before: list[Row]) -> None:
    assert run([before, [tick(1800 + n) for n in range(1200)]]) == []


def test_a_longer_limit_watches_rarer_visitors() -> None:
    day = 86_400
    rare = [lines(second) for second in range(0, day, 900)]
    ticks = [tick(day + 60 * n) for n in range(240)]
    assert run([rare, ticks]) == []
    (claim,) = run([rare, ticks], {"source_silent": RuleOverride(threshold=180)})
    assert claim[3:] == (239, 180)


def test_many_lines_that_cannot_be_read() -> None:
    rows = [lines(second, 3, unread=1) for second in range(200)]
    assert run([rows[:99]]) == []
    (claim,) = run([rows])
    assert claim == (("unparsed_lines", "source", "p"), at(0), at(199), 200, 100)


def test_a_small_share_of_bad_lines_is_ordinary() -> None:
    assert run([[lines(second, 9, unread=2, late=1) for second in range(1000)]]) == []


def test_wrong_times_are_late_ones_and_those_far_ahead() -> None:
    rows = [lines(second, 2, late=1, future=1) for second in range(60)]
    (claim,) = run([rows])
    assert claim == (("clock_skew", "source", "p"), at(0), at(59), 120, 100)


def test_bad_lines_count_for_ten_minutes() -> None:
    rows = [lines(15 * n, 0, unread=1) for n in range(100)]
    assert run([rows]) == []
    (claim,) = run([rows], {"unparsed_lines": RuleOverride(threshold=40)})
    assert claim[3] == 41  # one slot more than the window


def test_open_slots_are_not_judged() -> None:
    health = SourceHealth()
    assert health.judge(frame([lines(0, 0, unread=500)])) == []
    assert health.judge(frame([lines(5, 9000)])) == []
    assert health.judge(frame([tick(60)])) == []
    assert health.finish() == []
    other = SourceHealth()
    other.judge(frame([lines(0, 0, unread=500)]))
    assert [f.value for f in other.judge(frame([tick(60)]))] == [500]


def test_a_finding_says_what_people_need() -> None:
    health = SourceHealth({"unparsed_lines": RuleOverride(level="high", mode="monitor")})
    (finding,) = [*health.judge(frame([lines(0, 0, unread=500)])), *health.finish()]
    assert (finding.level, finding.mode) == (Level.HIGH, "monitor")
    assert (finding.unit, finding.window) == ("lines that could not be read", timedelta(minutes=10))
    assert finding.fingerprint == health.fingerprint != SourceHealth().fingerprint
    assert "owasp.api8" in finding.tags


def except_for(**fields: str) -> RuleOverride:
    return RuleOverride.model_validate({"exceptions": [{"why": "known", **fields}]})


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"source": "p"}, False),
        ({"source": "q"}, True),
        ({"source": "/var/*"}, True),
        ({"source": "*"}, False),
        ({"source": "p", "until": "2026-11-02T08:00:00Z"}, True),
        ({"source": "p", "until": "2026-11-03T00:00:00Z"}, False),
    ],
)
def test_exceptions(fields: dict[str, str], found: bool) -> None:
    bad = [lines(second, 3, unread=1, late=1) for second in range(200)]
    calm = [*regular(), *(tick(1800 + n) for n in range(1200))]
    for name, rows in (("unparsed_lines", bad), ("clock_skew", bad), ("source_silent", calm)):
        others = {d.name: RuleOverride(enabled=False) for d in DETECTORS if d.name != name}
        claimed = run([rows], {**others, name: except_for(**fields)})
        assert bool(claimed) is found, name


@pytest.mark.parametrize(
    "fields",
    [
        {"client": "203.0.113.7", "source": "p"},
        {"api_key": "key-0123456789abcdef", "source": "p"},
        {"api_key": "key-0123456789abcdef"},
    ],
)
def test_exceptions_must_be_about_sources(fields: dict[str, str]) -> None:
    with pytest.raises(DetectorSettingsError, match=r"detectors\.clock_skew\.exceptions"):
        active_detectors({"clock_skew": except_for(**fields)})


def test_settings_are_told_apart() -> None:
    given = {"clock_skew": RuleOverride(enabled=False), "request_rate": RuleOverride()}
    assert rule_overrides(given) == {"request_rate": RuleOverride()}
    assert set(active_detectors(given)) == {entry.name for entry in DETECTORS} - {"clock_skew"}


def test_all_switched_off() -> None:
    off = {detector.name: RuleOverride(enabled=False) for detector in DETECTORS}
    assert run([[lines(0, 0, unread=500)], [tick(99)]], off) == []


def test_a_changed_limit_begins_anew() -> None:
    health = SourceHealth()
    health.judge(frame([*regular(), lines(1800, 0, unread=500)]))
    other = SourceHealth({"source_silent": RuleOverride(threshold=20)})
    assert other.restore(health.snapshot()) == ["source_silent"]
    found = other.judge(frame([tick(1800 + n) for n in range(2000)]))
    assert [finding.detector for finding in found] == ["unparsed_lines"]
    assert set(SourceHealth().restore({"version": 0})) == {d.name for d in HEALTH}
    assert set(SourceHealth().restore({})) == {d.name for d in HEALTH}


def test_state_is_bounded() -> None:
    health = SourceHealth(source_cap=3)
    for number in range(5):
        health.judge(frame([lines(n * 10, source=f"p{number}") for n in range(500)]))
    state = health.snapshot()
    assert set(state["sources"]) == {"p0", "p1", "p2"}
    assert health.unwatched == 2
    assert all(len(kept["slots"]) <= 61 for kept in state["sources"].values())
    assert all(len(kept["silence"]["parts"]) <= 12 for kept in state["sources"].values())
    health.judge(frame([lines(5000 + STALE_US / SECOND, source="new")]))
    assert set(health.snapshot()["sources"]) == {"new"}


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    """An hour and more of one or several sources, each regular or ill for a while."""
    seed = draw(st.randoms(use_true_random=False))
    rows: list[Row] = []
    for source in draw(st.sampled_from(["p", "pq", "pqr"])):
        now = seed.random() * 100
        for _ in range(draw(st.integers(1, 6))):
            kind = seed.choice(["fine", "fine", "silent", "junk", "skewed", "mixed"])
            for _ in range(seed.randint(1, 250)):
                now += seed.choice([0, 0.5, 3, 9, 10, 20]) + (1 if kind == "silent" else 0)
                bad = seed.randint(0, 5)
                if kind == "silent":
                    rows.append(tick(now, source))
                elif kind == "junk":
                    rows.append(lines(now, 1, source, unread=bad))
                elif kind == "skewed":
                    rows.append(lines(now, 1, source, late=min(bad, 1), future=bad))
                else:
                    rows.append(lines(now, 4, source, unread=bad // 4 * (kind == "mixed")))
            now += seed.choice([0, 1, 700, 2000])
    return rows


LOWER = {
    "source_silent": RuleOverride(threshold=5),
    "unparsed_lines": RuleOverride(threshold=30),
    "clock_skew": RuleOverride(threshold=30),
}


def cut(rows: Sequence[Row], data: st.DataObject) -> list[list[Row]]:
    points = data.draw(st.lists(st.integers(0, len(rows)), max_size=30))
    edges = sorted({0, len(rows), *points})
    return [list(rows[a:b]) for a, b in pairwise(edges)]


@settings(max_examples=60, deadline=None)
@given(rows=streams(), data=st.data())
def test_cuts_and_restores_change_nothing(rows: list[Row], data: st.DataObject) -> None:
    batches = cut(rows, data)
    restored = data.draw(st.frozensets(st.integers(0, len(batches)), max_size=4))
    assert run(batches, LOWER, restore_after=restored) == run([rows], LOWER)


@settings(max_examples=15, deadline=None)
@given(rows=streams())
def test_single_rows_change_nothing(rows: list[Row]) -> None:
    assert run([[row] for row in rows], LOWER) == run([rows], LOWER)


@settings(max_examples=30, deadline=None)
@given(rows=streams(), seed=st.randoms(use_true_random=False))
def test_order_across_sources_changes_nothing(rows: list[Row], seed: Any) -> None:
    queues: dict[str, list[Row]] = {}
    for row in rows:
        queues.setdefault(row["partition"], []).append(row)
    mixed: list[list[Row]] = []
    while queues:
        name = seed.choice(sorted(queues))
        size = seed.randint(1, 40)
        mixed.append(queues[name][:size])
        queues[name] = queues[name][size:]
        if not queues[name]:
            del queues[name]
    assert run(mixed, LOWER) == run([rows], LOWER)


@settings(max_examples=40, deadline=None)
@given(rows=streams())
def test_findings_are_what_the_definition_says(rows: list[Row]) -> None:
    found = run([rows], LOWER)
    assert _spans(found, "unparsed_lines") == _by_definition(rows, ["unread"])
    assert _spans(found, "clock_skew") == _by_definition(rows, ["late", "future"])


def _spans(found: Iterable[Claim], name: str) -> dict[str, tuple[int, datetime, datetime]]:
    """Greatest value, and first and last time, by source."""
    result: dict[str, tuple[int, datetime, datetime]] = {}
    for (detector, _, source), first, last, value, _ in found:
        if detector == name:
            old = result.get(source, (0, first, last))
            result[source] = (max(old[0], value), min(old[1], first), max(old[2], last))
    return result


def _by_definition(
    rows: Sequence[Row], columns: Sequence[str]
) -> dict[str, tuple[int, datetime, datetime]]:
    result: dict[str, tuple[int, datetime, datetime]] = {}
    for source in {row["partition"] for row in rows}:
        slots: dict[int, list[Row]] = {}
        for row in rows:
            if row["partition"] == source and not row["tick"]:
                slots.setdefault(row["first"] // (10 * SECOND), []).append(row)
        bad = {s: sum(r[c] for r in some for c in columns) for s, some in slots.items()}
        for slot, own in slots.items():
            inside = [s for s in slots if slot - 60 <= s <= slot]
            value = sum(bad[s] for s in inside)
            total = sum(r["events"] + r["future"] + r["unread"] for s in inside for r in slots[s])
            if not bad[slot] or value < 30 or value * 5 < total:
                continue
            first = min(r["first"] for s in inside if bad[s] for r in slots[s])
            last = max(r["last"] for r in own)
            span = [datetime.fromtimestamp(t / SECOND, UTC) for t in (first, last)]
            old = result.get(source, (0, span[0], span[1]))
            result[source] = (max(old[0], value), min(old[1], span[0]), max(old[2], span[1]))
    return result
