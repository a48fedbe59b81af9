"""A PostgreSQL of our own: on loopback, everything in one folder, gone after the tests.

    with running_server() as server:
        url = server.create()  # an empty database
        server.drop(url)

PostgreSQL refuses to run as root: root runs it as Debian's user postgres, or as nobody.
"""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import URL

from tests.broker.guard import Guard

READY_SECONDS: Final = 60
STOP_SECONDS: Final = 30

#: Where Debian keeps what it does not put on PATH.
_DEBIAN: Final = Path("/usr/lib/postgresql")

_USER: Final = "vedette"

#: Nothing needs to survive a loss of power, or to be tidied up within minutes.
_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "max_connections": "50",
    "timezone": "Asia/Kathmandu",  # times that forget their zone show
}


class PostgresqlError(Exception):
    """No server could be started; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server on which we may create databases; `url` names one that is there already."""

    url: URL

    def create(self, template: URL | None = None) -> URL:
        """Create a database, a copy of another one if given, and return its address."""
        name = f"vedette_test_{uuid.uuid4().hex}"
        copied = f' TEMPLATE "{template.database}"' if template else ""
        self._run(f'CREATE DATABASE "{name}"{copied}')
        return self.url.set(database=name)

    def drop(self, database: URL) -> None:
        """Drop a database, whoever uses it."""
        self._run(f'DROP DATABASE "{database.database}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())


def obstacle() -> str | None:
    """Return why no server can be started on this machine, or nothing."""
    return None if _programs() else "no PostgreSQL can be started here without initdb and postgres"


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server, and stop it after. Raises PostgresqlError."""
    programs = _programs()
    if programs is None:
        raise PostgresqlError(str(obstacle()))
    # Not below pytest's own folders: those let nobody in but their owner.
    folder = Path(tempfile.mkdtemp(prefix="vedette-postgresql-"))
    try:
        password = _initialise(programs, folder)
        port = _free_port()
        with _running(programs, folder, port):
            yield Server(
                URL.create("postgresql+psycopg", _USER, password, "127.0.0.1", port, "postgres")
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # processes just killed may still write


def _programs() -> Path | None:
    """Return the folder of initdb and postgres: on PATH, or the newest of Debian's."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    versions = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdecimal()]
    folders += sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def _account() -> dict[str, Any]:
    """Return who runs the server, as subprocess wants to know it: ourselves, unless root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path) -> str:
    account = _account()
    password = secrets.token_hex(16)
    secret = folder / "password"
    secret.write_text(password)
    if account:
        for path in (folder, secret):
            os.chown(path, account["user"], account["group"])
    initdb = [
        str(programs / "initdb"),
        f"--pgdata={folder / 'data'}",
        f"--username={_USER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    if "--icu-locale" in _output([initdb[0], "--help"], account):
        # An order of names unlike SQLite's, as real servers have it.
        initdb += ["--locale-provider=icu", "--icu-locale=en-US"]
    _output(initdb, account)
    return password


def _output(words: list[str], account: dict[str, Any]) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=READY_SECONDS,
        cwd="/",
        check=False,
        **account,
    )
    if done.returncode:
        raise PostgresqlError(f"{words[0]} failed:\n{done.stdout[-2000:]}")
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(programs: Path, folder: Path, port: int) -> Iterator[None]:
    options = {**_OPTIONS, "port": str(port)}
    words = [str(programs / "postgres"), "-D", str(folder / "data")]
    words += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for pytest, which then stops the server
            **_account(),
        )
    guard = Guard(process.pid)
    try:
        _await_ready(process, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        guard.dismiss()


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if re.search(rb"ready to accept connections", log.read_bytes()):
            return
        time.sleep(0.02)
    raise PostgresqlError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")
