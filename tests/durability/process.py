"""`vedette run` as a process, to be killed at any moment and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.broker.guard import Guard

ROOT: Final = Path(__file__).parents[2]
READY: Final = "Following the sources."
_SECONDS: Final = 60.0


class NotInTimeError(AssertionError):
    """What was waited for did not happen; the message ends with what the process said."""


class Service:
    """A worker with its settings and state in a folder; `said` is all it ever said."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.said = folder / "said.txt"
        self._settings = folder / "vedette.toml"
        self._settings.write_text(settings, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._from = 0

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start; returns at once."""
        self._from = self.said.stat().st_size if self.said.exists() else 0
        environment = {k: v for k, v in os.environ.items() if not k.startswith("VEDETTE_")}
        with self.said.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vedette", "run", "--config", str(self._settings)],
                cwd=ROOT,
                env=environment | {"XDG_STATE_HOME": str(self.folder), "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid)

    def ready(self) -> "Service":
        """Wait until it follows its sources."""
        self.wait(lambda: READY in self.words(), "that it follows its sources")
        return self

    def words(self) -> str:
        """Return what it said since it was started last."""
        return self.said.read_bytes()[self._from :].decode(errors="replace")

    def wait(self, done: Callable[[], bool], what: str, seconds: float = _SECONDS) -> None:
        """Wait until it is so, while the process runs; raises NotInTimeError."""
        until = time.monotonic() + seconds
        while not done():
            if not self.runs:
                raise NotInTimeError(f"it ended, before {what}:\n{self.words()[-3000:]}")
            if time.monotonic() > until:
                raise NotInTimeError(f"{seconds} s, and not {what}:\n{self.words()[-3000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._end(signal.SIGKILL)

    def stop(self, seconds: float = 15.0) -> None:
        """Ask it to stop and wait; it must end well."""
        self._end(signal.SIGTERM, seconds)
        assert self._process is not None
        assert self._process.returncode == 0, self.words()[-3000:]

    def _end(self, number: signal.Signals, seconds: float = 10.0) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
