"""The catalogue's fingerprint: it differs where findings may differ, and else nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detectors.catalogue import Catalogue, load_catalogue
from detectors.counts import shape_of
from detectors.kernel import RuleKernel
from detectors.overrides import RuleOverride
from detectors.rules import Tier

PLAIN = """title: {name}
name: {name}
logsource: {{category: webserver}}
detection:
  selection: {{cs-uri-stem: {path}}}
  condition: selection
"""
MANY = """title: Many
name: many
level: high
correlation:
  type: event_count
  rules: [refused]
  group-by: [c-ip]
  timespan: 300s
  condition: {gte: 5}
vedette:
  share: {of: whole, percent: 20}
  outlier: {factor: 5, of: usual}
  raise: {level: critical, when: worse}
"""
SILENT = ("refused", "whole", "usual", "worse")


def catalogue_of(folder: Path, *, comment: str = "", **paths: str) -> Catalogue:
    """The built-in rules and one that refers to four others, of which each has a path."""
    folder.mkdir()
    for name in SILENT:
        text = PLAIN.format(name=name, path=paths.get(name, f"/{name}"))
        (folder / f"{name}.yml").write_text(comment + text, encoding="utf-8")
    (folder / "many.yml").write_text(comment + MANY, encoding="utf-8")
    return load_catalogue(folders=[folder])


@pytest.mark.parametrize("part", SILENT)
def test_what_a_rule_refers_to_decides_its_findings(tmp_path: Path, part: str) -> None:
    before, after = catalogue_of(tmp_path / "a"), catalogue_of(tmp_path / "b", **{part: "/other"})
    assert [rule.name for rule in after.rules if rule.name in SILENT] == []
    assert before.rule("many").written == after.rule("many").written
    assert before.rule("many").signature != after.rule("many").signature
    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize("part", SILENT)
def test_a_rule_begins_anew_when_what_it_refers_to_changes(tmp_path: Path, part: str) -> None:
    before, after = catalogue_of(tmp_path / "a"), catalogue_of(tmp_path / "b", **{part: "/other"})
    assert RuleKernel(after).restore(RuleKernel(before).snapshot()) == ["many"]
    assert RuleKernel(before).restore(RuleKernel(before).snapshot()) == []


def test_values_of_placeholders_decide_findings() -> None:
    before, after = load_catalogue(), load_catalogue(placeholders={"login_paths": ("/zzz",)})
    assert before.fingerprint != after.fingerprint
    changed = {
        name
        for name in (rule.name for rule in after.rules)
        if before.rule(name).signature != after.rule(name).signature
    }
    anew = RuleKernel(after).restore(RuleKernel(before).snapshot())
    assert {"login_burst", "login_slow"} <= changed == set(anew)


def test_settings_decide_findings() -> None:
    tiers = [Tier("gold", 2, frozenset({("user", "ann")})), Tier("gold", 3)]
    seen = [
        load_catalogue(),
        load_catalogue({"login_burst": RuleOverride(threshold=3)}),
        load_catalogue({"login_burst": RuleOverride(enabled=False)}),
        *(load_catalogue(tiers=[tier]) for tier in tiers),
    ]
    assert len({each.fingerprint for each in seen}) == len(seen)


def test_files_comments_and_order_decide_nothing(tmp_path: Path) -> None:
    before, apart = catalogue_of(tmp_path / "a"), catalogue_of(tmp_path / "b", comment="# why\n")
    assert before.fingerprint == apart.fingerprint
    together = tmp_path / "c"
    together.mkdir()
    texts = [PLAIN.format(name=name, path=f"/{name}") for name in SILENT]
    (together / "a.yml").write_text("---\n".join([MANY, *texts[::-1]]), encoding="utf-8")
    assert before.fingerprint == load_catalogue(folders=[together]).fingerprint


def test_every_process_says_the_same() -> None:
    """Who is in a tier is a set, whose order differs from process to process."""
    told = {_told_by_a_process(seed) for seed in ("1", "2", "3")}
    assert told == {_told()}


def _told() -> str:
    members = frozenset({("user", name) for name in ("ann", "bob", "eve", "joe", "kim", "lee")})
    catalogue = load_catalogue(tiers=[Tier("gold", 3, members)])  # type: ignore[arg-type]
    return f"{catalogue.fingerprint} {shape_of(catalogue.rule('read_rate'))}"


def _told_by_a_process(seed: str) -> str:
    program = f"from {__name__} import _told; print(_told())"
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
