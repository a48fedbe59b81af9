"""Every detector has a golden case: a log, the settings, and the incidents that must come of it.

tests/golden/README.md says what is in a folder and how to add one.
"""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import vedette.commands.learn
import vedette.commands.scan
import vedette.commands.train
from detectors.catalogue import load_catalogue
from detectors.registry import DETECTORS

GOLDEN: Final = Path(__file__).parents[1] / "golden"
CASES: Final = sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir())
NEAR_MISSES: Final = [folder for folder in CASES if (folder / "near_miss.log").exists()]
LINES: Final = range(1, 301)
#: What is learned, and what a model is trained from, before the log is scanned.
TAUGHT: Final = frozenset({"learn.log", "train.log"})
TAUGHT_LINES: Final = range(1, 3_001)

#: The case whose lines nobody can read.
UNREAD: Final = "unparsed_lines"

#: Detectors that no log can show: a scan has no ticks, the passing of time without lines in which
#: What a scan does not have: source_silent sees that a log has ended, and missed_lines that one was
#: cut while it was followed. test_health.py gives the one ticks, test_missed.py the other gaps.
WITHOUT_CASE: Final = frozenset({"missed_lines", "source_silent"})

#: Every detector that is registered, rule or not.
NAMES: Final = sorted(
    [*(rule.name for rule in load_catalogue().rules), *(each.name for each in DETECTORS)]
)

#: Hashes of API keys in expected incidents are made with it.
SECRET: Final = bytes(32)


class Expected(NamedTuple):
    """What a case says about one incident."""

    detectors: tuple[str, ...]
    entity_type: str
    entity: str
    severity: str

    def __str__(self) -> str:
        return "\n".join(
            [
                "[[incident]]",
                f"detectors = {json.dumps(self.detectors)}",
                f"entity_type = {json.dumps(self.entity_type)}",
                f"entity = {json.dumps(self.entity)}",
                f"severity = {json.dumps(self.severity)}",
            ]
        )


def expected_in(folder: Path) -> list[Expected]:
    text = (folder / "incidents.toml").read_text(encoding="utf-8")
    return sorted(_expected(row) for row in tomllib.loads(text).get("incident", []))


def _expected(row: dict[str, Any]) -> Expected:
    assert set(row) == set(Expected._fields), "an incident has these four keys"
    return Expected(**{**row, "detectors": tuple(sorted(row["detectors"]))})


@pytest.fixture
def scanned(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sqlite_template: Path,
) -> Any:
    """Scan a file of a case as `vedette scan` does; return the incidents that it prints."""

    def scan(log: Path) -> list[Expected]:
        monkeypatch.chdir(log.parent)
        for command in (vedette.commands.scan, vedette.commands.learn, vedette.commands.train):
            monkeypatch.setattr(command, "secret_for_files", lambda: SECRET)
        learned = (log.parent / "learn.log").exists()
        if learned:
            shutil.copy(sqlite_template, tmp_path / "learned.db")
            monkeypatch.setenv("VEDETTE_STORE__URL", f"sqlite:///{tmp_path / 'learned.db'}")
            taught = vedette.commands.learn.learn_from(
                ["learn.log"], Path("case.toml"), log_format="auto", database=None, as_json=True
            )
            assert taught == 0, capsys.readouterr().err
            capsys.readouterr()
        if (log.parent / "train.log").exists():
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
            trained = vedette.commands.train.train_from(
                ["train.log"],
                Path("case.toml"),
                log_format="auto",
                without=[],
                seed=0,
                as_json=True,
            )
            assert trained == 0, capsys.readouterr().err
            capsys.readouterr()
        shutil.copy(sqlite_template, tmp_path / "incidents.db")
        status = vedette.commands.scan.run_scan(
            [log.name],
            Path("case.toml"),
            log_format="auto",
            database=str(tmp_path / "incidents.db"),
            learned=learned,
            as_json=True,
        )
        printed = capsys.readouterr()
        assert status == 0, printed.err
        assert " 0 set aside" in printed.err or log.parent.name == UNREAD, printed.err
        return sorted(_found(json.loads(line)) for line in printed.out.splitlines())

    return scan


def _found(incident: dict[str, Any]) -> Expected:
    row = {name: incident[name] for name in Expected._fields}
    if row["entity_type"] == "source":
        row["entity"] = Path(row["entity"]).name
    return Expected(**{**row, "detectors": tuple(sorted(row["detectors"]))})


def _listed(incidents: list[Expected]) -> str:
    return "\n\n".join(str(incident) for incident in incidents)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_log_gives_the_incidents_that_the_case_names(folder: Path, scanned: Any) -> None:
    found = scanned(folder / "access.log")
    assert _listed(found) == _listed(expected_in(folder))


@pytest.mark.parametrize("folder", NEAR_MISSES, ids=lambda folder: folder.name)
def test_near_miss_stays_silent(folder: Path, scanned: Any) -> None:
    assert _listed(scanned(folder / "near_miss.log")) == ""


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_CASE])
def test_detector_has_a_case_in_which_it_fires(name: str) -> None:
    folder = GOLDEN / name
    assert folder.is_dir(), f"tests/golden has no folder for the detector {name}"
    assert any(name in incident.detectors for incident in expected_in(folder))


def test_only_detectors_that_are_registered_go_without_a_case() -> None:
    assert set(NAMES) >= WITHOUT_CASE


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case_can_be_read_by_people(folder: Path) -> None:
    story = (folder / "case.toml").read_text(encoding="utf-8")
    assert story.startswith("# "), "a comment at the top says what happens"
    for log in folder.glob("*.log"):
        allowed = TAUGHT_LINES if log.name in TAUGHT else LINES
        assert log.read_bytes().count(b"\n") in allowed, log.name
    known = {"case.toml", "access.log", "incidents.toml", "near_miss.log", *TAUGHT}
    known |= {"openapi.yaml"}
    assert {file.name for file in folder.iterdir()} <= known


def test_no_case_is_left_of_a_detector_that_is_gone() -> None:
    fired = {folder.name: {d for i in expected_in(folder) for d in i.detectors} for folder in CASES}
    assert not [folder for folder, detectors in fired.items() if not detectors & set(NAMES)]
