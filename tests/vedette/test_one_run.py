"""Commands that read files once work where nothing can be kept."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.access.secret import SecretError, server_secret
from vedette.cli import cli
from vedette.one_run import secret_for_files

from .scans import combined


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that cannot be made: a file is in its way."""
    blocked = tmp_path / "blocked"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    return blocked


@pytest.mark.usefixtures("nowhere")
def test_files_are_read_where_no_secret_can_be_kept(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(combined(0) + "\n", encoding="utf-8")
    printed = CliRunner().invoke(cli, ["normalise", str(log)])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["path"] == "/"
    assert "hashes of API keys" in printed.stderr
    scanned = CliRunner().invoke(cli, ["scan", str(log), "--database", str(tmp_path / "a.db")])
    assert scanned.exit_code == 0


@pytest.mark.usefixtures("nowhere")
def test_a_secret_of_one_run_is_nobody_elses() -> None:
    assert secret_for_files() != secret_for_files()


def test_a_secret_that_is_kept_is_taken_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert secret_for_files() == secret_for_files()
    file = tmp_path / "vedette" / "server.secret"
    assert server_secret(file) == secret_for_files()
    file.chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        secret_for_files()
