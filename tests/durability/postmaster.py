"""A PostgreSQL server, stopped and started again under the process that began it."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import URL

from tests.broker.guard import Guard

_SECONDS: Final = 30.0


class Postmaster:
    """The server at an address; its data lies on this machine."""

    def __init__(self, address: str, data: Path) -> None:
        self._address = address
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @classmethod
    @contextmanager
    def of(cls, url: URL) -> "Iterator[Postmaster]":
        """Find a server that runs; what is started here is stopped in the end."""
        plain = url.set(drivername="postgresql")
        address = plain.render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            row = connection.execute("show data_directory").fetchone()
        assert row is not None
        found = cls(address, Path(row[0]))
        try:
            yield found
        finally:
            found.end()

    def crash(self) -> None:
        """Stop it without finishing anything."""
        pid = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, signal.SIGQUIT)
        until = time.monotonic() + _SECONDS
        while self._answers():
            assert time.monotonic() < until, "PostgreSQL did not stop"
            time.sleep(0.05)

    def start(self) -> None:
        """Start it with the same data and options, and wait until it answers."""
        words = shlex.split((self._data / "postmaster.opts").read_text(encoding="utf-8"))
        owner = self._data.stat()
        account: dict[str, Any] = {}
        if os.getuid() == 0:
            account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        until = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                self.end()
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                    **account,
                )
                self._guard = Guard(self._process.pid)
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.1)

    def end(self) -> None:
        """Stop what was started here."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS)
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
