"""What rules and learned detectors need of events, worked out and declared."""

import tomllib
from pathlib import Path

import polars as pl
import pytest

from detectors.catalogue import load_catalogue
from detectors.learned.families import Families
from detectors.learned.needs import AT_THE_EDGE, NEEDS
from detectors.needs import (
    EDGE,
    can_match,
    columns_of,
    columns_of_learned,
    is_blind,
    is_blind_learned,
    lessened,
    narrowed_by,
)
from detectors.registry import DETECTORS, FAMILIES, HEALTH
from ingest.enrichment import Enrichment
from ingest.events import EVENT_SCHEMA
from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader, events_of
from ingest.sources import FileSource
from tests.detectors.streams import catalogue_of
from vedette.detecting import families_of
from vedette.settings import load_settings

GOLDEN = Path(__file__).parents[1] / "golden"
RULES = {rule.name: rule for rule in load_catalogue().rules}

#: Columns that are told, or worked out from others; without them nothing is an event.
KEPT = {"timestamp", "partition", "position"}

PLAIN = """title: Any
name: any
logsource: {{category: webserver}}
detection: {{{0}}}
---
title: Rule
name: rule
correlation: {{{1}}}
"""
COUNT = "type: event_count, rules: [any], group-by: [c-ip], timespan: 60s, condition: {gte: 2}"


@pytest.mark.parametrize(
    ("selection", "missing", "seen"),
    [
        ("s: {cs-username: ann}, condition: s", {"user"}, False),
        ("s: {cs-username: null}, condition: s", {"user"}, True),
        ("s: {cs-username: '-'}, condition: s", {"user"}, True),
        ("s: {cs-username|exists: false}, condition: s", {"user"}, True),
        ("s: {cs-username: ann}, condition: not s", {"user"}, True),
        ("s: {cs-username|exists: false}, condition: not s", {"user"}, False),
        ("s: {cs-username: ann}, t: {sc-status: 401}, condition: s or t", {"user"}, True),
        (
            "s: {cs-username: ann}, t: {sc-status: 401}, condition: s or t",
            {"user", "status"},
            False,
        ),
        ("s: {cs-username: ann}, t: {sc-status: 401}, condition: s and t", {"status"}, False),
        ("s: {cs-uri|contains: x}, condition: s", {"query"}, True),
        ("s: {cs-uri|contains: x}, condition: s", {"path"}, False),
        ("s: {time-taken|gte: 5}, condition: s", {"duration_us"}, False),
        ("s: {object_id|gte: 5}, condition: s", {"path"}, False),
        ("s: [evil], condition: s", {"path", "query"}, True),
        ("s: {cs-username|fieldref: cs-host}, condition: s", {"host"}, False),
        ("s: {sc-status: 401}, condition: s", {"client_ip"}, False),
        ("s: {sc-status: 401}, condition: s", {EDGE}, False),
        ("s: {sc-status: 401}, condition: s", {"user_agent"}, True),
    ],
)
def test_a_rule_is_blind_if_its_condition_cannot_hold(
    selection: str, missing: set[str], seen: bool, tmp_path: Path
) -> None:
    (rule,) = catalogue_of(PLAIN.format(selection, COUNT), tmp_path).rules
    assert is_blind(rule, missing) != seen
    assert is_blind(rule, set()) is False


@pytest.mark.parametrize(
    ("kind", "rest", "blind", "seeing"),
    [
        ("value_count", "group-by: [c-ip], condition: {field: cs-host, gte: 2}", "host", "user"),
        (
            "value_avg",
            "group-by: [c-ip], condition: {field: sc-bytes, gte: 2}",
            "response_bytes",
            "service",
        ),
        ("event_count", "group-by: [cs-username, service], condition: {gte: 2}", "user", "service"),
        ("event_count", "condition: {gte: 2}", "status", "client_ip"),
    ],
)
def test_what_is_counted_and_for_whom_must_be_there(
    kind: str, rest: str, blind: str, seeing: str, tmp_path: Path
) -> None:
    correlation = f"type: {kind}, rules: [any], timespan: 1m, {rest}"
    text = PLAIN.format("s: {sc-status: 401}, condition: s", correlation)
    (rule,) = catalogue_of(text, tmp_path).rules
    assert is_blind(rule, {blind})
    assert not is_blind(rule, {seeing})
    assert {blind} <= columns_of(rule)


def test_sequences_need_all_their_rules_and_choices_only_some() -> None:
    rule = RULES["success_after_failures"]
    assert is_blind(rule, {"status"})
    assert not is_blind(rule, {"user_agent"})
    assert lessened(rule, {"user_agent"}) == ["all are counted together, not by user_agent"]


def test_what_a_rule_does_worse_is_told() -> None:
    assert narrowed_by(RULES["sql_injection"], {"query", "host"}) == ["query"]
    assert lessened(RULES["login_burst"], {"user_agent"}) == [
        "people behind one address are not told apart: limits do not grow for them"
    ]
    raised = lessened(RULES["sql_injection"], {"status"})
    assert raised == ["its level is never raised to high"]
    assert "the share that it must be is not checked" not in str(
        lessened(RULES["read_rate"], set())
    )


def test_a_part_that_can_match_everything_needs_nothing() -> None:
    for rule in RULES.values():
        for source in rule.series.sources:
            assert can_match(source.part, set())


@pytest.mark.parametrize("name", sorted(RULES))
def test_only_columns_that_a_rule_looks_at_can_blind_it(name: str) -> None:
    rule = RULES[name]
    others = {*EVENT_SCHEMA, EDGE} - columns_of(rule)
    assert not is_blind(rule, others)
    assert is_blind(rule, columns_of(rule))


# Detectors that learn


def test_every_detector_that_is_no_rule_says_what_it_needs() -> None:
    learned = {each.name for family in FAMILIES for each in family.detectors}
    assert learned == {each.name for each in DETECTORS if each not in HEALTH}
    assert learned <= NEEDS.keys()
    assert NEEDS.keys() >= AT_THE_EDGE
    assert {name for groups in NEEDS.values() for g in groups for name in g} <= EVENT_SCHEMA.keys()


def learned_events(folder: Path) -> pl.DataFrame:
    files = [folder / name for name in ("learn.log", "access.log") if (folder / name).exists()]
    written = tomllib.loads((folder / "case.toml").read_text()).get("sources")
    given = written[0] if written else {}
    sources = [FileSource(**{**given, "paths": (str(file),)}) for file in files]
    enrichment = Enrichment(pseudonyms=Pseudonyms(bytes(32)))
    return pl.concat(
        events_of(LogReader([source], enrichment=enrichment).batches()) for source in sources
    )


def is_found(name: str, families: Families, events: pl.DataFrame) -> bool:
    """Whether the family of a detector finds something by it in events."""
    its = Families(each for each in families.by_name.values() if name in each.detectors)
    found = its.judge(its.aggregate(events), None)
    return name in {each.detector for each in [*found, *its.finish()]}


CASES = sorted(
    name
    for name in NEEDS
    if (GOLDEN / name).is_dir() and not (GOLDEN / name / "train.log").exists()
)


@pytest.mark.parametrize("name", CASES)
def test_a_learned_detector_needs_what_it_says_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the events of its golden case, columns taken away."""
    monkeypatch.chdir(GOLDEN / name)
    settings = load_settings(Path("case.toml"))
    events = learned_events(GOLDEN / name)

    def found(*missing: str) -> bool:
        gone = events.with_columns(pl.lit(None).cast(EVENT_SCHEMA[n]).alias(n) for n in missing)
        return is_found(name, families_of(settings), gone)

    assert found()
    for group in NEEDS[name]:
        assert not found(*group)
        assert is_blind_learned(name, group)
    others = [
        n
        for n in EVENT_SCHEMA
        if n not in {*columns_of_learned(name), *KEPT, "service", "method", "path"}
    ]
    assert found(*others)
    assert not is_blind_learned(name, others)
