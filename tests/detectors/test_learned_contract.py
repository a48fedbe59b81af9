"""The contract of every family of learned detectors.

`learned/FAMILY_streams.py` has for each: `streams`, a strategy of events in their order by which it
learns and finds something, `family`, which makes it with settings that learn fast, and `tiny`, the
same with room for hardly anything.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import find as find_example
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from detectors.findings import Finding, merge_runs
from detectors.learned.family import Family
from detectors.registry import FAMILIES, learned_families
from detectors.snapshot import pack_frames, unpack_frames
from tests.detectors.streams import LATENESS, frame, micros

Events = list[dict[str, Any]]

STREAMS: Final = sorted((Path(__file__).parent / "learned").glob("*_streams.py"))
EXAMPLES: Final = 5


class Case(NamedTuple):
    """A family as the contract sees it."""

    name: str
    streams: Callable[[], st.SearchStrategy[Events]]
    family: Callable[[], Family]
    tiny: Callable[[], Family]


def case_of(file: Path) -> Case:
    module = import_module(f"tests.detectors.learned.{file.stem}")
    return Case(file.stem.removesuffix("_streams"), module.streams, module.family, module.tiny)


@pytest.fixture(
    scope="module", params=[case_of(file) for file in STREAMS], ids=lambda case: str(case.name)
)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def final(findings: Sequence[Finding]) -> list[Finding]:
    """What must not depend on cuts: all but the evidence."""
    return [replace(found, evidence=()) for found in merge_runs([], findings)]


def cut(events: Events, points: Sequence[int]) -> list[pl.DataFrame]:
    edges = [0, *sorted({point % (len(events) + 1) for point in points}), len(events)]
    return [frame(events[a:b]) for a, b in pairwise(edges)]


def marks(batches: Sequence[pl.DataFrame]) -> list[int | None]:
    """The watermark after each batch of one partition."""
    found: list[int | None] = []
    newest: int | None = None
    for batch in batches:
        latest = batch["effective_time"].max()
        if isinstance(latest, datetime):
            newest = max(newest or -(2**61), micros(latest))
        found.append(None if newest is None else newest - LATENESS)
    return found


def run(
    make: Callable[[], Family],
    batches: Sequence[pl.DataFrame],
    watermarks: Sequence[int | None] | None = None,
    *,
    restore_after: frozenset[int] = frozenset(),
) -> list[Finding]:
    """Final findings over batches, with the state as bytes and back after some of them."""
    family = make()
    found: list[Finding] = []
    every = marks(batches) if watermarks is None else watermarks
    for number, (batch, watermark) in enumerate(zip(batches, every, strict=True)):
        found += family.judge(family.aggregate(batch), watermark)
        if number in restore_after:
            parts = unpack_frames(pack_frames(family.snapshot()))
            family = make()
            assert family.restore(parts) == []
    return final(found + family.finish())


def some(case: Case, wanted: Callable[[Events], bool] = bool) -> Events:
    """Return a stream of which something is true."""
    quick = settings(max_examples=200, deadline=None, phases=[Phase.generate], database=None)
    return find_example(case.streams(), wanted, settings=quick)


def test_every_family_has_streams() -> None:
    families = learned_families({}, {})
    assert {file.stem.removesuffix("_streams") for file in STREAMS} >= set(families.by_name)
    assert len({each.table for each in FAMILIES}) == len(FAMILIES)


def test_detectors_are_those_it_is_registered_with(case: Case) -> None:
    family = case.family()
    assert family.name == case.name
    for each in FAMILIES:
        if {detector.name for detector in each.detectors} & family.detectors.keys():
            assert {d.name for d in each.detectors} == set(family.detectors)


def test_the_streams_make_it_find_something(case: Case) -> None:
    try:
        events = some(case, lambda drawn: run(case.family, [frame(drawn)]) != [])
    except NoSuchExample:
        pytest.fail("none of its streams makes it find anything")
    found = run(case.family, [frame(events)])
    detectors = case.family().detectors
    for each in found:
        assert each.detector in detectors
        assert each.tags == detectors[each.detector].tags
        assert each.window == detectors[each.detector].window
        assert each.note.isprintable()
        assert each.first <= each.last


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data(), points=st.lists(st.integers(0, 10_000), max_size=20), small=st.booleans())
def test_cuts_and_restores_change_nothing(
    case: Case, data: st.DataObject, points: list[int], small: bool
) -> None:
    events = data.draw(case.streams())
    make = case.tiny if small else case.family
    batches = cut(events, points)
    restored = data.draw(st.frozensets(st.integers(0, len(batches) - 1), max_size=3))
    assert run(make, batches, restore_after=restored) == run(make, [frame(events)])


@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_single_lines_change_nothing(case: Case, data: st.DataObject) -> None:
    events = data.draw(case.streams())[:60]
    assert run(case.family, [frame([e]) for e in events]) == run(case.family, [frame(events)])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    data=st.data(),
    seed=st.randoms(use_true_random=False),
    parts=st.integers(2, 4),
    small=st.booleans(),
)
def test_order_across_partitions_within_lateness_changes_nothing(
    case: Case, data: st.DataObject, seed: Any, parts: int, small: bool
) -> None:
    """Events of several partitions may mix in any order that no watermark forbids."""
    events = [{**e, "partition": f"p{n % parts}"} for n, e in enumerate(data.draw(case.streams()))]
    left = [events[n::parts] for n in range(parts)]
    mixed: list[pl.DataFrame] = []
    watermarks: list[int | None] = []
    newest: dict[int, int] = {}
    while any(left):
        number = seed.choice([n for n, rows in enumerate(left) if rows])
        size = seed.randint(1, 9)
        batch, left[number] = left[number][:size], left[number][size:]
        newest[number] = max(micros(e["effective_time"]) for e in batch)
        waiting = [newest.get(n) for n, rows in enumerate(left) if rows]
        least = [w for w in waiting if w is not None]
        done = None if None in waiting else min(least, default=max(newest.values()))
        mixed.append(frame(batch))
        watermarks.append(None if done is None else done - LATENESS)
    make = case.tiny if small else case.family
    assert run(make, mixed, watermarks) == run(make, [frame(events)])


@settings(max_examples=3, deadline=None)
@given(data=st.data(), points=st.lists(st.integers(0, 10_000), max_size=6))
def test_looking_changes_nothing(case: Case, data: st.DataObject, points: list[int]) -> None:
    """Neither a snapshot or status in between, nor to judge nothing, nor to sum and throw away."""
    events = data.draw(case.streams())
    batches = cut(events, points)
    family, found = case.family(), list[Finding]()
    for batch, watermark in zip(batches, marks(batches), strict=True):
        family.aggregate(frame(events))
        found += family.judge(family.aggregate(batch), watermark)
        family.snapshot()
        family.status()
        found += family.judge(family.aggregate(frame([])), watermark)
    assert final(found + family.finish()) == run(case.family, batches)


def test_it_reads_no_clock(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    events = some(case)

    def forbidden() -> float:
        raise AssertionError("a detector has read the clock")

    for name in ("time", "monotonic", "perf_counter", "time_ns"):
        monkeypatch.setattr(time, name, forbidden)
    try:
        found = run(case.family, [frame(events)])
    finally:
        monkeypatch.undo()
    assert found == run(case.family, [frame(events)])


def test_sums_have_no_floats_and_one_schema(case: Case) -> None:
    family = case.family()
    schema = family.aggregate(frame([])).schema
    assert not [name for name, dtype in schema.items() if "Float" in str(dtype)]
    assert family.aggregate(frame(some(case))).schema == schema


def test_a_part_that_did_not_change_is_the_same_object(case: Case) -> None:
    family = case.family()
    family.judge(family.aggregate(frame(some(case))), None)
    before, now = family.snapshot(), family.snapshot()
    assert before.keys() == now.keys()
    assert all(now[name] is part for name, part in before.items())


def test_state_that_it_does_not_know_is_learned_anew(case: Case) -> None:
    names = set(case.family().detectors)
    assert set(case.family().restore({})) == names
    known = case.family().snapshot()
    junk = {name: pl.DataFrame({"junk": ["x"]}) for name in known}
    assert set(case.family().restore(junk)) == names


def test_what_is_said_of_learning_adds_up(case: Case) -> None:
    family = case.family()
    batches = cut(some(case), [3, 30, 60])
    for batch, watermark in zip(batches, marks(batches), strict=True):
        family.judge(family.aggregate(batch), watermark)
    for row in family.status():
        assert row.detector in family.detectors
        assert row.entity_type == family.detectors[row.detector].entity_type
        assert row.entity.isprintable()
        assert 0 <= row.days <= max(row.days, row.of_days)
        assert row.series >= 0
