"""Every built-in rule is complete, has its row in docs/detectors.md, and a runbook."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import pytest
import yaml
from pydantic import BaseModel
from sigma.correlations import SigmaCorrelationType

from alerts.incidents.summary import duration
from detectors.catalogue import BUILT_IN_RULES, load_catalogue
from detectors.detector import Detector
from detectors.documents import VedetteKeys
from detectors.fields import SIGMA_FIELDS
from detectors.findings import Level
from detectors.registry import DETECTORS, SHARE_PERCENT
from detectors.rules import Rule, Tier
from ingest.events import EVENT_SCHEMA
from tests.docs.pages import ROOT, blocks, headings, page, rows

RULES: Final = load_catalogue(tiers=[Tier("trusted", 2)]).rules
IDS: Final = [rule.name for rule in RULES]

#: Rules whose limit is multiplied for callers in a tier.
TIERED: Final = {rule.name for rule in RULES if rule.tiers}

#: Detectors that are no rules; test_registry looks at what is said of them.
OTHERS: Final = {detector.name for detector in DETECTORS}

#: What finds something in no log: alerts.sending.failing.
ELSEWHERE: Final = {"alerts_failing"}

HEADINGS: Final = (
    "What it means",
    "How to check",
    "What to do",
    "When it is a false alarm",
)
RUNBOOK_LINES: Final = 60
MINUTE: Final = 60


@pytest.fixture(params=RULES, ids=IDS)
def rule(request: pytest.FixtureRequest) -> Rule:
    found: Rule = request.param
    return found


def runbook(rule: Rule) -> str:
    return page(f"runbooks/{rule.name}.md")


def test_rule_says_all_that_people_need(rule: Rule) -> None:
    assert rule.id, "id"
    assert rule.title, "title"
    assert rule.description.endswith("."), "description"
    assert rule.falsepositives, "falsepositives"
    assert rule.unit not in {"matching requests", "distinct values"}, "vedette: unit"
    assert any(tag.startswith("attack.t") for tag in rule.tags), "an ATT&CK technique"
    assert any(re.fullmatch(r"owasp\.api\d{1,2}", tag) for tag in rule.tags), "an OWASP API tag"


def test_rule_states_its_level_and_stands_in_a_file_of_its_name(rule: Rule) -> None:
    file = BUILT_IN_RULES / f"{rule.name}.yml"
    documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    (written,) = [d for d in documents if d["name"] == rule.name]
    assert Level[written["level"].upper()] == rule.level
    assert all(document.get("id") and document.get("description") for document in documents)


def test_ids_are_unique() -> None:
    files = BUILT_IN_RULES.rglob("*.yml")
    ids = [d["id"] for f in files for d in yaml.safe_load_all(f.read_text(encoding="utf-8"))]
    assert len(ids) == len(set(ids))


def test_row_in_the_table_agrees_with_the_rule(rule: Rule) -> None:
    row = rows(catalogue()).get(rule.name)
    assert row is not None, f"docs/detectors.md has no row for `{rule.name}`"
    _, entity, watches, limit, level, tags, innocent, link = row
    assert entity == rule.entity_type
    assert watches
    assert innocent
    assert conditions(limit) == set(expected_conditions(rule))
    assert level == rule.level.label
    assert set(re.findall(r"`([^`]+)`", tags)) == set(rule.tags)
    assert f"(runbooks/{rule.name}.md)" in link


def conditions(limit: str) -> set[str]:
    """What a limit says, without the words for people: "80 % of its users" is "80 %"."""
    parts = [part.strip() for part in limit.split(";")]
    return {re.sub(r"^(\d+ (?:%|times)|high) .*", r"\1", part) for part in parts}


def expected_conditions(rule: Rule) -> Iterator[str]:
    yield f"{rule.threshold} in {duration(rule.window)}"
    if rule.shared_address is not None:
        yield "shared addresses more"
    if rule.share is not None:
        yield f"{rule.share.percent} %"
    if rule.outlier is not None:
        yield f"{rule.outlier.factor} times"
    if rule.raised is not None:
        yield rule.raised.level.label
    if rule.name in TIERED:
        yield "tiers"


@pytest.mark.parametrize("detector", DETECTORS, ids=[detector.name for detector in DETECTORS])
def test_row_of_a_detector_that_is_no_rule_agrees_with_it(detector: Detector) -> None:
    row = rows(catalogue()).get(detector.name)
    assert row is not None, f"docs/detectors.md has no row for `{detector.name}`"
    _, entity, _, limit, level, tags, innocent, link = row
    assert entity == detector.entity_type
    assert innocent
    if detector.window:
        wanted = {f"{detector.threshold} in {duration(detector.window)}"}
        wanted |= {f"{SHARE_PERCENT} %"} if detector.entity_type == "source" else set()
        assert conditions(limit) == wanted
    else:
        assert re.match(rf"{detector.threshold} (?:min|s) ", limit)
    assert level == detector.level.label
    assert set(re.findall(r"`([^`]+)`", tags)) == set(detector.tags)
    assert f"(runbooks/{detector.name}.md)" in link


def catalogue() -> str:
    return page("detectors.md").partition("\n## Catalogue")[2].partition("\n## ")[0]


def groups() -> dict[str, list[str]]:
    """The detectors of each group of the catalogue."""
    parts = re.split(r"^### ", catalogue(), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: list(rows(part)) for part in parts}


def test_every_detector_is_in_one_group() -> None:
    listed = [name for names in groups().values() for name in names]
    assert sorted(listed) == sorted([*IDS, *OTHERS])


def test_the_readme_counts_the_detectors_of_every_group() -> None:
    text = page("README.md")
    row = r"^\| \[(\w+)\]\(docs/detectors\.md#(\w+)\) \| (\d+) \| .+ \|$"
    counted = {name: int(count) for name, _, count in re.findall(row, text, re.MULTILINE)}
    assert counted == {name: len(names) for name, names in groups().items()}
    assert f"{sum(counted.values())} detectors" in text


def test_the_readme_names_only_detectors_that_are_there() -> None:
    section = page("README.md").partition("## What it detects")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", section))
    assert named
    assert named <= {*IDS, *OTHERS}


def test_runbook_is_where_the_rule_says(rule: Rule) -> None:
    assert rule.runbook == f"docs/runbooks/{rule.name}.md"
    assert (ROOT / rule.runbook).is_file()


def test_runbook_has_its_parts(rule: Rule) -> None:
    text = runbook(rule)
    title, *parts = headings(text)
    assert title.startswith(f"{rule.name}: ")
    assert tuple(parts) == HEADINGS
    assert len(text.splitlines()) <= RUNBOOK_LINES


def test_runbook_names_the_limit_of_the_rule(rule: Rule) -> None:
    meaning = runbook(rule).partition("## What it means")[2].partition("## ")[0]
    assert re.search(rf"\b{rule.threshold}\b", meaning)


def test_runbook_names_the_window_of_the_rule(rule: Rule) -> None:
    if rule.series.windowless:  # single requests
        return
    meaning = " ".join(runbook(rule).partition("## What it means")[2].partition("## ")[0].split())
    seconds = int(rule.window.total_seconds())
    told = {f"{seconds} seconds", f"{seconds // 60} minutes", f"{seconds // 3600} hours"}
    told |= {"a minute"} if seconds == MINUTE else {"an hour"} if seconds == 60 * MINUTE else set()
    assert any(words in meaning for words in told), told


def test_runbook_shows_settings_of_its_own_detector(rule: Rule) -> None:
    shown = "\n".join(blocks(runbook(rule), "toml"))
    assert f"[[detectors.{rule.name}.exceptions]]" in shown
    assert "threshold = " in runbook(rule)


def test_no_runbook_without_a_rule() -> None:
    known = set(IDS) | OTHERS | ELSEWHERE
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} == known


def test_every_field_of_sigma_is_documented() -> None:
    documented = rows(page("detectors.md"))
    for name, column in SIGMA_FIELDS.items():
        assert name in documented, f"docs/detectors.md has no row for the field `{name}`"
        assert f"`{column}`" in documented[name][1]
    assert {"cs-uri", "time-taken"} <= set(documented)


def test_every_column_is_documented_or_behind_a_field() -> None:
    text = page("detectors.md")
    missing = [name for name in EVENT_SCHEMA if f"`{name}`" not in text]
    assert not missing


def keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """The keys of a part of a rule, those of its parts with a dot."""
    for name, field in model.model_fields.items():
        key = before + (field.alias or name)
        parts = [field.annotation, *get_args(field.annotation)]
        below = [p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)]
        yield from keys(below[0], f"{key}.") if below else [key]


def test_every_key_under_vedette_is_documented() -> None:
    assert "share.over" in set(keys(VedetteKeys))
    assert set(keys(VedetteKeys)) <= set(rows(page("detectors.md")))


def test_the_rules_shown_can_be_loaded(tmp_path: Path) -> None:
    for number, shown in enumerate(blocks(page("detectors.md"), "yaml")):
        (tmp_path / f"shown{number}.yml").write_text(shown, encoding="utf-8")
    loaded = load_catalogue({}, [tmp_path])
    added = {rule.name: rule.entity_type for rule in loaded.rules if rule.name not in IDS}
    assert added == {"export_burst": "user", "reset_then_export": "client"}


def test_every_type_of_correlation_is_documented() -> None:
    ours = {each.name.lower() for each in SigmaCorrelationType}
    assert ours <= set(rows(page("detectors.md")))
