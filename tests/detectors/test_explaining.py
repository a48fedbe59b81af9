"""What is explained agrees with the engine: counters of entities, and verdicts on single events."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.aggregate import matches
from detectors.arrays import Arrays
from detectors.catalogue import Catalogue, load_catalogue
from detectors.decoded import with_decoded
from detectors.documents import read_rules
from detectors.evaluate import runs
from detectors.findings import EntityType, Finding, merge_runs
from detectors.kernel import RuleKernel
from detectors.overrides import RuleException
from detectors.probe import Counter, Probe
from detectors.rules import Rule, Tier
from detectors.selecting import Selections
from detectors.series import Series, Source
from detectors.sigma import compile_rules
from detectors.single import Single, why_left_out
from detectors.wording import why_not
from ingest.times import microseconds, moment

from .oracle import sensitive
from .streams import START, catalogue_of, event, frame, traffic

MEASURES = Path(__file__).parent / "measures.yml"
BUILT_IN = load_catalogue().rules
EVERY = Catalogue(
    (*(sensitive(rule) for rule in BUILT_IN), *compile_rules(read_rules(MEASURES), {})), "test"
)
SECOND = timedelta(seconds=1)


def explained(
    catalogue: Catalogue, kind: EntityType, entity: str, *batches: pl.DataFrame
) -> tuple[Probe, list[Finding]]:
    """A probe after a run, and the final findings of the run about its entity."""
    kernel, probe = RuleKernel(catalogue), Probe(catalogue.rules, kind, entity)
    found: list[Finding] = []
    for batch in batches:
        summed = kernel.aggregate(batch)
        probe.add(summed.sums)
        found += kernel.judge(summed, None)
    found = merge_runs([], found + kernel.finish())
    return probe, [each for each in found if (each.entity_type, each.entity) == (kind, entity)]


def entities(events: pl.DataFrame) -> list[tuple[EntityType, str]]:
    """Everybody in some events whom a rule may watch."""
    columns: dict[EntityType, str] = {
        "client": "client_ip",
        "network": "client_network",
        "user": "user",
        "api_key": "api_key",
        "route": "route",
        "service": "service",
    }
    found: list[tuple[EntityType, str]] = [
        (kind, name)
        for kind, column in columns.items()
        for name in events[column].drop_nulls().unique().sort().to_list()
    ]
    return [*found, ("all", "all")]


@settings(max_examples=4, deadline=None)
@given(events=traffic(), data=st.data())
def test_counters_agree_with_the_findings_of_a_run(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Of every kind of rule: counts, distinct values, sums, shares, outliers, sequences."""
    whole = frame(events)
    kind, entity = data.draw(st.sampled_from(entities(whole)))
    middle = len(events) // 2
    probe, found = explained(EVERY, kind, entity, whole[:middle], whole[middle:])
    for rule in probe.rules:
        mine = [each for each in found if each.detector == rule.name]
        rebuilt = [
            (moment(row["first"]), moment(row["last"]), row["value"], row["limit"])
            for row in runs(probe.verdicts(rule), rule.window).iter_rows(named=True)
        ]
        assert rebuilt == [(f.first, f.last, f.value, f.threshold) for f in mine]
    ends = {time for each in found for time in (each.last, each.reached or each.last)}
    drawn = data.draw(st.lists(st.sampled_from(whole["effective_time"].to_list()), max_size=2))
    for time in [*sorted(ends)[:2], *drawn]:
        for counter in probe.counters(microseconds(time)):
            agrees(counter, [each for each in found if each.detector == counter.rule.name])
    for each in data.draw(st.lists(st.sampled_from(found), max_size=3)) if found else []:
        by_name = {c.rule.name: c for c in probe.counters(microseconds(each.last))}
        assert by_name[each.detector].over
        assert by_name[each.detector].peak >= each.value


def agrees(counter: Counter, found: list[Finding]) -> None:
    """Hold one counter against all findings of its rule about its entity."""
    until = moment(counter.until)
    since = until - timedelta(microseconds=counter.rule.panes.length)
    near = [each for each in found if each.first < until and each.last >= since]
    if counter.over:
        assert near
        assert max(each.value for each in near) >= counter.value
    else:
        assert not [each for each in near if since <= each.last < until]


@settings(max_examples=2, deadline=None)
@given(events=traffic(), data=st.data())
def test_a_stored_state_tells_the_same(events: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = frame(events)
    kind, entity = data.draw(st.sampled_from(entities(whole)))
    kernel, probe = RuleKernel(EVERY), Probe(EVERY.rules, kind, entity)
    summed = kernel.aggregate(whole)
    probe.add(summed.sums)
    kernel.judge(summed, None)
    stored = Probe(EVERY.rules, kind, entity)
    assert stored.restore(kernel.snapshot()) == []
    time = microseconds(events[-1]["effective_time"])
    assert stored.counters(time) == probe.counters(time)


@settings(max_examples=2, deadline=None)
@given(events=traffic(), data=st.data())
def test_a_single_event_is_judged_as_in_a_batch(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Whether a rule counts it, and that a reason is told where it does not."""
    row = data.draw(st.integers(0, len(events) - 1))
    whole = frame(events)
    parts = {s.part for rule in EVERY.rules for each in rule.every_series() for s in each.sources}
    accepted, arrays = Selections(parts).rows(whole), Arrays(whole)
    one = with_decoded(whole[row : row + 1])
    for part in parts:
        assert (why_not(part, one) is None) == (row in accepted[part].tolist()), part.name
    for judged in Single(EVERY.rules).judge(whole[row : row + 1]):
        counted = matches(judged.rule.series, arrays, accepted)
        counts = counted is not None and row in counted.row.tolist()
        assert (judged.verdict == "counts") == counts
        assert bool(judged.why) != counts
        assert (judged.entity is not None) == counts


def why(rule: str, **fields: Any) -> str:
    """Why a built-in rule does not count an event."""
    judged = Single(BUILT_IN).judge(frame([event(**fields)]))
    return next(each.why for each in judged if each.rule.name == rule)


@pytest.mark.parametrize(
    ("rule", "fields", "reason"),
    [
        ("login_burst", {}, "method is not POST (it is GET)"),
        ("missing_path_scan", {"status": 200}, "status is not 404 (it is 200)"),
        ("credential_stuffing", {"status": 401}, "there is no user"),
        ("server_errors", {"status": 404}, "status is below 500 (it is 404)"),
        ("user_read_rate", {"user": None}, "there is no user to count it for"),
        ("object_enumeration", {"route": "GET /x"}, "route does not contain {"),
        ("read_rate", {"user": "ann"}, "user is there, which the rule leaves out"),
    ],
)
def test_reasons_are_told_in_words(rule: str, fields: dict[str, Any], reason: str) -> None:
    assert why(rule, **fields).startswith(reason)


def test_what_is_not_counted_says_why(tmp_path: Path) -> None:
    """Late, behind the edge, excepted, without the value: not the condition."""
    rule = load_catalogue().rule("auth_failure_burst")
    excepted = replace(
        rule, series=replace(rule.series, exceptions=(RuleException(user="ann", why="a test"),))
    )
    refused: dict[str, Any] = {"status": 401, "user": "ann"}
    cases: list[tuple[Rule, dict[str, Any], str]] = [
        (rule, {"windowed": False}, "more than a minute late"),
        (rule, {"edge": False}, "behind the edge"),
        (rule, {"client_ip": None}, "there is no client_ip"),
        (excepted, {}, "a test"),
    ]
    for each, fields, reason in cases:
        (judged,) = Single([each]).judge(frame([event(**refused, **fields)]))
        assert judged.verdict == "left_out"
        assert reason in judged.why


def test_notes_say_what_a_limit_was_grown_by(tmp_path: Path) -> None:
    rules = catalogue_of(
        """title: Any
name: any
logsource: {category: webserver}
detection: {selection: {cs-method|exists: true}, condition: selection}
---
title: Many
name: many
correlation:
  {type: event_count, rules: [any], group-by: [c-ip], timespan: 60s, condition: {gte: 2}}
vedette: {tiers: true}
""",
        tmp_path,
    ).rules
    tier = Tier("partners", 5, frozenset({("client", "203.0.113.7")}))
    catalogue = Catalogue(tuple(replace(rule, tiers=(tier,)) for rule in rules), "test")
    probe, found = explained(
        catalogue, "client", "203.0.113.7", frame([event(n) for n in range(9)])
    )
    (counter,) = probe.counters(microseconds(START + 8 * SECOND))
    assert not found
    assert (counter.value, counter.limit, counter.over) == (9, 10, False)
    assert counter.notes == ("the limit is 5 times 2, as the tier partners says",)


def test_what_keeps_a_value_at_its_limit_from_violating_is_told() -> None:
    """A share that is too low, and nobody to compare with."""
    rows = [
        event(n, status=401 if n % 4 == 0 else 200, client_ip=f"203.0.113.{n}") for n in range(40)
    ]
    for name, kind, entity, reason in (
        ("mostly_refused", "route", "GET /items/{id}", "are 27 % of 37"),
        ("outlier_count", "client", "203.0.113.1", "nobody to compare"),
    ):
        own = [event(n, client_ip="203.0.113.1") for n in range(9)] if kind == "client" else rows
        probe, found = explained(EVERY, kind, entity, frame(own))  # type: ignore[arg-type]
        counters = {c.rule.name: c for c in probe.counters(microseconds(own[-1]["timestamp"]))}
        assert not [each for each in found if each.detector == name]
        assert reason in counters[name].why


def test_reasons_are_told_of_many_events_at_once() -> None:
    """Each is what a single one is told; asking one by one took minutes for a busy entity."""
    series = Series(
        (Source(BUILT_IN[0].series.sources[0].part, ("user",)),),
        timedelta(minutes=1),
        values=("path", "host"),
        edge=True,
        exceptions=(RuleException(client="192.0.2.1", why="ours"),),
    )
    events = frame(
        [
            event(windowed=False, edge=False),
            event(edge=False),
            event(),
            event(user="ann", client_ip="192.0.2.1"),
            event(user="ann"),
            event(user="ann", path=None),
            event(user="ann", host="a"),
        ]
    )
    told = why_left_out(series, series.sources, events).to_list()
    assert [why.split(" ", 3)[:3] for why in told[:2]] == [
        ["it", "came", "more"],
        ["it", "was", "seen"],
    ]
    assert told[2:] == [
        "there is no user to count it for",
        "an exception of the settings: ours",
        "there is no host to count",
        "there is no host or path to count",
        "there is no path or host to count",
    ]
