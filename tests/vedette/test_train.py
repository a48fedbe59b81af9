"""vedette train: a model from logs, its table, and what a scan makes of its file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from vedette.client_model import ClientModelError, load_model, model_file
from vedette.commands.scan import run_scan
from vedette.commands.train import train_from
from vedette.settings import load_settings, settings_from

CASE: Final = Path(__file__).parents[1] / "golden" / "client_outlier"


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def trained(*, as_json: bool = True, **given: Any) -> int:
    arguments = {"log_format": "auto", "without": [], "seed": 0, **given}
    return train_from([str(CASE / "train.log")], None, as_json=as_json, **arguments)


def scanned(log: Path, tmp_path: Path) -> int:
    database = str(tmp_path / "incidents.db")
    return run_scan([str(log)], None, log_format="auto", database=database, as_json=True)


def test_a_model_is_trained_shown_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained() == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["clients"] > 100
    assert told["usual"]["paths"]["high"] >= told["usual"]["paths"]["low"]
    assert "regulars" not in told
    assert "the history is too short for 1 false alarms a day" in printed.err
    file = model_file(load_settings(None))
    assert f"Saved as {file}" in printed.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir() if each.name.startswith("clients")] == [
        "clients.model"
    ]
    assert scanned(CASE / "access.log", tmp_path) == 0
    (line,) = capsys.readouterr().out.splitlines()
    incident = json.loads(line)
    assert incident["entity"] == "203.0.113.50"
    assert "against" in line
    assert "of most clients" in line


def test_the_table_says_what_is_usual_and_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(as_json=False) == 0
    out = capsys.readouterr().out
    assert "nine of ten clients" in out
    assert "paths per endpoint" in out
    assert "points of 1,000 or more: 1 a day" in out


def test_clients_may_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(without=["198.51.100.1", "198.51.100.2"]) == 0
    fewer = json.loads(capsys.readouterr().out)["clients"]
    assert trained() == 0
    assert json.loads(capsys.readouterr().out)["clients"] == fewer + 2


def test_a_log_of_too_few_clients_leaves_the_model_from_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained() == 0
    before = model_file(load_settings(None)).read_bytes()
    capsys.readouterr()
    few = train_from(
        [str(CASE / "access.log")], None, log_format="auto", without=[], seed=0, as_json=False
    )
    assert few == 1
    assert "the model from before, if there is one, stays" in capsys.readouterr().err
    assert model_file(load_settings(None)).read_bytes() == before


def test_a_model_of_another_installation_stops_the_scan_and_says_what_to_do(
    tmp_path: Path,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert trained() == 0
    other = tmp_path / "other"
    theirs = other / model_file(load_settings(None)).relative_to(state)
    theirs.parent.mkdir(parents=True, mode=0o700)
    theirs.write_bytes(model_file(load_settings(None)).read_bytes())
    monkeypatch.setenv("XDG_STATE_HOME", str(other))
    capsys.readouterr()
    assert scanned(CASE / "access.log", tmp_path) == 1
    error = capsys.readouterr().err
    assert str(theirs) in error
    assert "not made by this installation" in error
    assert "vedette train" in error


def test_a_model_that_the_settings_name_must_be_there(tmp_path: Path) -> None:
    named = settings_from('[clients]\nmodel = "nowhere.model"\n')
    with pytest.raises(ClientModelError, match=r"there is no nowhere\.model"):
        load_model(named)
    assert load_model(load_settings(None)) is None


def test_a_scan_without_a_model_loads_no_learning_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vedette.commands.scan import run_scan;"
        f"run_scan([{str(CASE / 'near_miss.log')!r}], None, log_format='auto',"
        f" database={str(tmp_path / 'x.db')!r}, as_json=True);"
        "print({'sklearn', 'scipy', 'skops', 'joblib'} & set(sys.modules))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "set()"
