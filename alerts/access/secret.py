"""The server's secret: one file under which keys are checked and pseudonyms made."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32


class SecretError(Exception):
    """The server's secret cannot be read or made; the message says what to do."""


class NoSecretError(SecretError):
    """There is no server's secret, and none can be made here."""


def server_secret(path: Path) -> bytes:
    """Read the server's secret, or make it (0600) if there is none. Raises SecretError."""
    try:
        if not path.exists():
            _make_secret(path)
        mode = path.stat().st_mode
        secret = path.read_bytes()
    except OSError as error:
        raise SecretError(
            f"{path}: {error.strerror}; the server's secret must be a file that only the user"
            " of this program can read and write"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(f"{path}: others may read the server's secret; run chmod 600 on it")
    if len(secret) != SECRET_BYTES:
        raise SecretError(
            f"{path}: this is not a server secret ({SECRET_BYTES} bytes); restore it from a"
            " backup, or remove it and make new API keys"
        )
    return secret


def secret_of_one_run() -> bytes:
    """Return a secret that nobody keeps: pseudonyms made with it mean nothing to other runs."""
    return secrets.token_bytes(SECRET_BYTES)


def _make_secret(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise NoSecretError(
            f"{path}: {error.strerror}; the server's secret cannot be made: XDG_STATE_HOME names"
            " another folder for it"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret_of_one_run())
        # A link, unlike a rename, does not replace what another process made meanwhile.
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
