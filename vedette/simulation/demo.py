"""Lines that come as if the shop were live, only faster, with an attack every few seconds."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Final

import numpy as np

from ingest.times import microseconds
from vedette.simulation.render import Format, render
from vedette.simulation.scenarios import choose_scenarios, settings
from vedette.simulation.simulation import Simulation, simulate

#: The attacks in the order in which the demo shows them.
ORDER: Final = (
    "sensitive_files",
    "auth_failure_burst",
    "malformed_requests",
    "missing_path_scan",
    "login_guessing",
    "endpoint_scan",
    "request_flood",
)

#: What is not found, shown with them.
SILENT: Final = ("crawler", "load_test", "office_morning", "retrying_device", "uptime_monitor")

#: Seconds of wall clock: before the first attack, between two, and in one episode.
FIRST_ATTACK, BETWEEN_ATTACKS, EPISODE = 1.0, 8.0, 60.0

_SHORTEST_EPISODE: Final = timedelta(minutes=10)
_TICK: Final = 0.2
_YEARS: Final = timedelta(days=3650)


def placement(speed: float) -> dict[str, timedelta]:
    """Return where in an episode the attacks begin, so that at `speed` they come one by one."""
    return {
        name: timedelta(seconds=speed * (FIRST_ATTACK + place * BETWEEN_ATTACKS))
        for place, name in enumerate(ORDER)
    }


class DemoStream:
    """Writes simulated lines at `speed` times real time, until stopped.

    `write` gets the lines that are due, from a thread of the stream's own.

    Episodes follow each other without a gap in event time, each with the next seed. The first
    line has a time just after `start`, which has a time zone.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str]], None],
        seed: int,
        speed: float = 60.0,
        *,
        start: datetime,
        requests_per_second: float = 25.0,
        form: Format = "combined",
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be greater than 0: it is simulated seconds a second")
        self._write = write
        self._seed = seed
        self._speed = speed
        self._start = start
        self._rate = requests_per_second
        self._form: Format = form
        self._stopping = Event()
        self._error: OSError | None = None
        self._thread = Thread(target=self._run, name="demo-stream", daemon=True)

    @property
    def settings_toml(self) -> str:
        """The settings that the near-misses need, valid for as long as anybody may watch."""
        return settings(choose_scenarios([*ORDER, *SILENT]), self._start + _YEARS)

    def start(self) -> None:
        """Begin to write, from a thread of its own; once only."""
        self._thread.start()

    def stop(self) -> None:
        """Stop writing and wait for the thread.

        Raises the OSError that ended it early, if one did.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._error is not None:
            raise self._error

    def episode(self, number: int) -> Simulation:
        """Return the run that the stream plays as number 0, 1, 2 ..."""
        duration = max(timedelta(seconds=EPISODE * self._speed), _SHORTEST_EPISODE)
        return simulate(
            self._seed + number,
            self._start + number * duration,
            duration,
            requests_per_second=self._rate,
            scenarios=[*ORDER, *SILENT],
            placement=placement(self._speed),
        )

    def _run(self) -> None:
        try:
            number = 0
            upcoming = self.episode(number)
            began = monotonic()
            while not self._stopping.is_set():
                self._play(upcoming, began)
                number += 1
                if not self._stopping.is_set():
                    upcoming = self.episode(number)
        except OSError as error:
            self._error = error

    def _play(self, simulation: Simulation, began: float) -> None:
        """Write each line of the episode when its time has come."""
        rendered = render(simulation.events, self._form)
        times = simulation.events["timestamp"].to_physical().to_numpy()
        zero = microseconds(self._start)
        end = microseconds(simulation.start + simulation.duration)
        written = 0
        while not self._stopping.is_set():
            now = zero + int((monotonic() - began) * self._speed * 1e6)
            due = int(np.searchsorted(times, now, side="right"))
            if due > written:
                self._write(rendered[written:due].to_list())
                written = due
            if now >= end:
                return
            self._stopping.wait(_TICK)


def appending(path: Path) -> Callable[[Sequence[str]], None]:
    """Return a function that appends lines to a file."""

    def write(lines: Sequence[str]) -> None:
        with path.open("a", encoding="utf-8", newline="\n") as log:
            log.write("\n".join(lines) + "\n")

    return write
