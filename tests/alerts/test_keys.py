"""API keys: shown once, checked in constant time, ended at once."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from alerts.access.keys import OVERLAP, KeyReplacedError, KeyStore, Role
from alerts.access.secret import NoSecretError, SecretError, server_secret

NOW = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def keys(engine: Engine, tmp_path: Path) -> KeyStore:
    return KeyStore(engine, tmp_path / "secret")


def test_a_key_opens(keys: KeyStore) -> None:
    key, secret = keys.create_key("ci", Role.ANALYST, NOW)
    verified = keys.verify_key(secret.get_secret_value(), NOW)
    assert verified is not None
    assert (verified.id, verified.role, verified.name) == (key.id, Role.ANALYST, "ci")
    assert len(secret.get_secret_value().split("_", 2)[2]) >= 43


def test_wrong_texts_do_not(keys: KeyStore) -> None:
    _, secret = keys.create_key("ci", Role.VIEWER, NOW)
    good = secret.get_secret_value()
    swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
    prefix, identity, rest = good.split("_", 2)
    other = f"{prefix}_{'0' * len(identity)}_{rest}"
    for wrong in ["", "vdt", "vdt__", swapped, other, good + "x" * 500, good.upper(), "vdt_é_ü"]:
        assert keys.verify_key(wrong, NOW) is None


def test_keys_end(keys: KeyStore) -> None:
    _, brief = keys.create_key("brief", Role.VIEWER, NOW, NOW + SECOND)
    key, secret = keys.create_key("ended", Role.VIEWER, NOW)
    assert keys.verify_key(brief.get_secret_value(), NOW) is not None
    assert keys.verify_key(brief.get_secret_value(), NOW + SECOND) is None
    assert keys.revoke_key(key.id, NOW + SECOND)
    assert not keys.revoke_key(key.id, NOW + SECOND)
    assert not keys.revoke_key("nosuch", NOW)
    assert keys.verify_key(secret.get_secret_value(), NOW + SECOND) is None


def test_a_key_is_replaced_once(keys: KeyStore) -> None:
    """Its end is that of the overlap then: who rotated it again got a key that ends as soon."""
    old, old_text = keys.create_key("ci", Role.ANALYST, NOW, scopes=["incidents"])
    made = keys.rotate_key(old.id, NOW)
    assert made is not None
    new, text = made
    assert (new.name, new.role, new.scopes, new.expires_at) == (
        old.name,
        old.role,
        old.scopes,
        None,
    )
    with pytest.raises(KeyReplacedError, match=f"replaced by {new.id} before; rotate that one"):
        keys.rotate_key(old.id, NOW)
    assert keys.verify_key(old_text.get_secret_value(), NOW + OVERLAP) is None
    assert keys.rotate_key(old.id, NOW + OVERLAP) is None, "it works no more"
    again = keys.rotate_key(new.id, NOW + OVERLAP)
    assert again is not None
    assert again[0].expires_at is None
    assert keys.verify_key(text.get_secret_value(), NOW + OVERLAP) is not None


def test_a_key_that_ends_is_replaced_by_one_that_lives_as_long(keys: KeyStore) -> None:
    life = timedelta(days=90)
    old, _ = keys.create_key("ci", Role.VIEWER, NOW, NOW + life)
    late = NOW + life - timedelta(hours=1)
    made = keys.rotate_key(old.id, late)
    assert made is not None
    assert made[0].expires_at == late + life
    replaced = keys.find_key(old.id)
    assert replaced is not None
    assert replaced.expires_at == NOW + life, "not longer than it had"


def test_the_last_use_is_noted_once_a_minute(keys: KeyStore) -> None:
    _, secret = keys.create_key("ci", Role.VIEWER, NOW)
    for seconds, noted in [(1, 1), (59, 1), (61, 61), (100, 61)]:
        keys.verify_key(secret.get_secret_value(), NOW + seconds * SECOND)
        assert keys.list_keys()[0].last_used_at == NOW + noted * SECOND


def test_the_database_does_not_hold_the_key(keys: KeyStore, engine: Engine) -> None:
    _, secret = keys.create_key("ci", Role.VIEWER, NOW)
    part = secret.get_secret_value().split("_", 2)[2]
    with engine.connect() as connection:
        row = connection.execute(text("select * from api_keys")).one()
    assert part not in str(row)
    assert part.encode() not in row.mac
    assert part not in repr(keys.list_keys()) + repr(secret)


def test_another_server_secret_ends_all_keys(engine: Engine, tmp_path: Path) -> None:
    _, secret = KeyStore(engine, tmp_path / "one").create_key("ci", Role.VIEWER, NOW)
    assert KeyStore(engine, tmp_path / "two").verify_key(secret.get_secret_value(), NOW) is None


def test_the_server_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    secret = server_secret(path)
    assert server_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret"]


def test_bad_server_secrets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 32)
    path.chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        server_secret(path)
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(SecretError, match="restore it"):
        server_secret(path)


def test_where_no_secret_can_be_kept_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    with pytest.raises(NoSecretError, match=r"secret/x: .*XDG_STATE_HOME"):
        server_secret(path / "x")
