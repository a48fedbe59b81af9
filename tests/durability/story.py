"""The log of the crash tests: half an hour of a shop with every attack of the simulator in it.

So that the wall clock decides nothing, its times are far in the future: ticks, which let time
pass for logs without news, never reach them. It ends with lines of hours later, which close every
pane and let all incidents become calm, and with somebody who asks for what is not there: when
that is stored, all that was before it has been read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Final

from vedette.simulation.render import render
from vedette.simulation.simulation import simulate

#: Long after any clock that the tests may run under.
START: Final = datetime(2095, 3, 7, 9, 0, tzinfo=UTC)
LATER: Final = timedelta(hours=3)

#: The clients whose probing says that a partition was read to its end, and how far they go.
SENTINELS: Final = ("192.0.2.200", "192.0.2.201")
PROBES: Final = 25


@dataclass(frozen=True, slots=True)
class Story:
    """Lines of a log in their order, without those of its end, and the settings they need."""

    lines: tuple[bytes, ...]
    settings: str

    def pieces(self, rng: Random, count: int) -> list[tuple[bytes, ...]]:
        """Return the lines in that many pieces of any size, drawn by lot."""
        cuts = sorted(rng.sample(range(1, len(self.lines)), count - 1))
        bounds = [0, *cuts, len(self.lines)]
        return [self.lines[a:b] for a, b in pairwise(bounds)]


@lru_cache(maxsize=4)
def story(seed: int = 7, minutes: int = 30, requests_per_second: float = 2.0) -> Story:
    """Return a simulated run."""
    run = simulate(seed, START, timedelta(minutes=minutes), requests_per_second=requests_per_second)
    lines = tuple(line.encode() + b"\n" for line in render(run.events, "combined").to_list())
    return Story(lines, run.settings_toml)


def ending(partition: int = 0) -> tuple[bytes, ...]:
    """Return the last lines of a partition."""
    innocent = [_line(second, "192.0.2.100", "/", 200) for second in range(5)]
    client = SENTINELS[partition]
    probing = [_line(10 + n, client, f"/nothing-{n}", 404) for n in range(PROBES)]
    return (*innocent, *probing)


def dealt(lines: Sequence[bytes], partitions: int) -> Iterator[tuple[int, bytes]]:
    """Give each line with its partition: a client's lines are all in one."""
    for line in lines:
        client = line.partition(b" ")[0]
        yield sum(client) % partitions, line


def _line(second: int, client: str, path: str, status: int) -> bytes:
    at = START + LATER + timedelta(seconds=second)
    return (
        f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} 512 "-"'
        ' "Mozilla/5.0" 0.010\n'
    ).encode()
