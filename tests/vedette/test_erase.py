"""vedette erase: asks, deletes, and says what it deleted and what it cannot."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from alerts.access.secret import server_secret
from alerts.database.backup import back_up
from alerts.database.models import IncidentRow
from alerts.database.opening import open_database
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from detectors.findings import EntityType, Finding, Level
from detectors.gathering import Gathered
from ingest.events import Batch, no_events
from ingest.pseudonyms import Pseudonyms
from vedette.backtest.cache import Cache
from vedette.cli import cli
from vedette.commands import erase
from vedette.folders import secret_file, sqlite_url, state_folder
from vedette.stores import last_scan_file

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def filled(url: str, *entities: tuple[EntityType, str], checkpoint: bool = False) -> str:
    engine = open_database(url)
    found = [
        Finding("recon", kind, name, START, START, 20, 10, "paths", MINUTE, Level.HIGH)
        for kind, name in entities
    ]
    state = Checkpoint(1, "f", START, {}, b"") if checkpoint else None
    Store(engine).record(found, watermark=None, checkpoint=state)
    engine.dispose()
    return url


def left(url: str) -> set[str]:
    engine = open_database(url)
    with engine.connect() as connection:
        names = set(connection.execute(select(IncidentRow.entity)).scalars())
    engine.dispose()
    return names


def vedette(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["erase", *arguments], input=answer)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_it_deletes_and_says_what(database_url: str) -> None:
    filled(database_url, ("client", "203.0.113.7"), ("client", "203.0.113.77"), checkpoint=True)
    result = vedette("client", "203.0.113.7", "--database", database_url, "--yes")
    assert result.exit_code == 0
    assert left(database_url) == {"203.0.113.77"}
    assert "Deleted from" in result.stdout
    assert "incidents" in result.stdout
    assert "the detectors' state knows who was active lately" in words(result)
    assert "the logs themselves" in words(result)
    again = vedette("client", "203.0.113.7", "--database", database_url, "--yes")
    assert again.exit_code == 0
    assert "Nothing is kept about client 203.0.113.7" in words(again)


def test_the_service_and_the_last_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = sqlite_url(tmp_path / "service.db")
    monkeypatch.setenv("VEDETTE_STORE__URL", service)
    for url in (service, sqlite_url(last_scan_file())):
        filled(url, ("user", "ada"), ("user", "bob"))
    result = vedette("user", "ada", "--yes")
    assert result.exit_code == 0
    assert left(service) == left(sqlite_url(last_scan_file())) == {"bob"}
    assert "Deleted from the service's database" in result.stdout
    assert "Deleted from the last scan" in result.stdout
    filled(service, ("user", "eve"))
    result = vedette("user", "eve", "--yes")
    assert "Deleted from the service's database" in result.stdout
    assert "last scan" not in result.output


def test_what_was_erased_is_said(database_url: str) -> None:
    filled(database_url, ("user", "ada"))
    assert vedette("user", "ada", "--database", database_url, "--yes").exit_code == 0
    for command in (["show", "1"], ["export", "1"]):
        asked = ["incidents", *command, "--database", database_url]
        result = CliRunner().invoke(cli, asked)
        assert result.exit_code == 1
        assert "incident 1 was erased, and is gone since" in words(result)


def test_nobody_there_means_no(database_url: str) -> None:
    filled(database_url, ("user", "ada"))
    result = vedette("user", "ada", "--database", database_url)
    assert result.exit_code == 2
    assert "Nothing was deleted; --yes" in words(result)
    assert left(database_url) == {"ada"}


@pytest.mark.parametrize(("answer", "names"), [("y\n", set()), ("\n", {"ada"}), ("no\n", {"ada"})])
def test_it_asks(
    answer: str, names: set[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database_url, ("user", "ada"))
    monkeypatch.setattr(erase, "_somebody_there", lambda: True)
    result = vedette("user", "ada", "--database", database_url, answer=answer)
    assert "Delete all of it about user ada?" in words(result)
    assert left(database_url) == names


def test_names_under_which_somebody_may_be_stored() -> None:
    secret = server_secret(secret_file())
    pseudonym = Pseudonyms(secret).pseudonym("user", "ada@example.com")
    names = erase.stored_names("user", "ada@example.com", secret)
    assert names[0] == "ada@example.com"
    assert pseudonym in names
    assert any(name.startswith("***#") for name in names)
    client = erase.stored_names("client", "2001:0DB8::1", secret)
    assert "2001:db8::1" in client
    assert Pseudonyms(secret).pseudonym("client_ip", "2001:db8::1") in client
    assert erase.stored_names("service", "shop", secret) == ["shop"]
    (key, stands_for) = erase.stored_names("api_key", "k1", secret)
    assert (key, stands_for[:4]) == ("k1", "key-")


def test_what_is_stored_under_a_pseudonym_goes_by_its_name(database_url: str) -> None:
    pseudonym = Pseudonyms(server_secret(secret_file())).pseudonym("client_ip", "203.0.113.7")
    filled(database_url, ("client", pseudonym))
    assert vedette("client", "203.0.113.7", "--database", database_url, "--yes").exit_code == 0
    assert left(database_url) == set()


def test_copies_are_named(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    filled(sqlite_url(path), ("user", "ada"))
    copy = back_up(path, "0003")
    result = vedette("user", "ada", "--database", str(path), "--yes")
    assert "copies made before an update" in words(result)
    assert copy.name in "".join(result.output.split())


def test_hostile_names_reach_no_terminal(database_url: str) -> None:
    result = vedette("user", "a\x1b[2Jb", "--database", database_url, "--yes")
    assert result.exit_code == 0
    assert "\x1b" not in result.output


def test_other_types_are_refused() -> None:
    assert vedette("person", "ada").exit_code == 2


def test_what_back_tests_keep_goes_with_people(database_url: str) -> None:
    """Failed when the names of those who were erased stayed in masked events and counts."""
    filled(database_url, ("route", "GET /x"))
    cache = Cache(state_folder() / "backtest", 10**9)
    writer = cache.begin("1")
    writer.add(Gathered(Batch(no_events(), None), None))
    cache.keep("1", writer)
    vedette("route", "GET /x", "--database", database_url, "--yes")
    assert cache.size()
    refused = vedette("client", "192.0.2.9", "--database", database_url)
    assert refused.exit_code == 2
    assert "Back-tests keep logs in" in words(refused)
    assert cache.size()
    result = vedette("client", "192.0.2.9", "--database", database_url, "--yes")
    assert result.exit_code == 0
    assert "Removed what back-tests kept" in result.stdout
    assert not cache.size()
    assert "Nothing is kept" in words(vedette("client", "192.0.2.9", "--database", database_url))
