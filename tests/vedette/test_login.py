"""vedette login: links to the page, each for one session."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from alerts.access.keys import KeyStore, Role
from alerts.access.sessions import SessionStore
from alerts.database.opening import open_database
from vedette import login_link
from vedette.cli import cli
from vedette.login_link import login_name, page_address
from vedette.settings import ApiSettings

NOW = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
PAGE = "http://127.0.0.1:8787"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "vedette").mkdir()
    return tmp_path / "vedette"


@pytest.fixture
def engine(state: Path) -> Iterator[Engine]:
    opened = open_database(f"sqlite:///{state / 'vedette.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def stores(engine: Engine, state: Path) -> tuple[KeyStore, SessionStore]:
    secret = state / "server.secret"
    return KeyStore(engine, secret), SessionStore(engine, secret)


def test_a_link_begins_one_session_in_the_name_asked_for(
    stores: tuple[KeyStore, SessionStore],
) -> None:
    arguments = ["login", "--name", "mia", "--role", "viewer"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    found = re.search(rf"^Open {PAGE}/login#code=([\w-]{{43}}) \(valid 10 min", result.stdout)
    assert found
    begun = stores[1].begin(found[1], datetime.now(UTC))
    assert begun is not None
    assert (begun[0].name, begun[0].role) == ("mia", Role.VIEWER)
    assert stores[1].begin(found[1], datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("arguments", "settings", "why"),
    [
        (["--name", "\x1b[31mred"], "", "--name: a key's name has"),
        ([], "[api]\nport = 0\n", "api.port is 0"),
        ([], "[api]\nenabled = false\n", "api.enabled is false"),
    ],
)
def test_what_cannot_be_is_said(state: Path, arguments: list[str], settings: str, why: str) -> None:
    file = state / "v.toml"
    file.write_text(settings, encoding="utf-8")
    result = CliRunner().invoke(cli, ["login", *arguments, "--config", str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def link(stores: tuple[KeyStore, SessionStore], name: str, role: Role) -> str:
    made = login_link.login_link(*stores, PAGE, name=name, role=role, now=NOW)
    return made.get_secret_value()


def test_links_share_a_key_that_lasts_and_is_for_everything(
    stores: tuple[KeyStore, SessionStore],
) -> None:
    keys, sessions = stores
    keys.create_key("mia", Role.ANALYST, NOW, NOW + timedelta(minutes=5))
    keys.create_key("mia", Role.ANALYST, NOW, scopes=("blocklist",))
    assert link(stores, "mia", Role.ANALYST) != link(stores, "mia", Role.ANALYST)
    (made,) = [key for key in keys.list_keys() if not key.scopes and key.expires_at is None]
    assert (made.name, made.role) == ("mia", Role.ANALYST)
    keys.revoke_key(made.id, NOW)
    code = link(stores, "mia", Role.ANALYST).rpartition("=")[2]
    assert len(keys.list_keys()) == 4
    assert sessions.begin(code, NOW) is not None


@pytest.mark.parametrize(
    ("settings", "port", "address"),
    [
        ({}, None, PAGE),
        ({}, 9000, "http://127.0.0.1:9000"),
        ({"port": 0}, None, None),
        ({"host": "::1"}, None, "http://[::1]:8787"),
        ({"host": "0.0.0.0", "behind_proxy": True}, None, "http://localhost:8787"),
        ({"host": "0.0.0.0", "behind_proxy": True, "hosts": ["v.example"]}, 1, "https://v.example"),
        ({"hosts": ["v.example"]}, None, "http://v.example:8787"),
    ],
)
def test_the_address_is_the_one_that_browsers_use(
    settings: dict[str, object], port: int | None, address: str | None
) -> None:
    assert page_address(ApiSettings.model_validate(settings), port) == address


def test_nobody_is_called_as_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_link, "user_name", lambda: "vedette")
    assert login_name() == "operator"
    monkeypatch.setattr(login_link, "user_name", lambda: "mia")
    assert login_name() == "mia"
