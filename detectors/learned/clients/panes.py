"""Half hours that are open, and those of the last hours that are closed."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from detectors.learned.clients.features import PANES, windows
from detectors.learned.clients.sums import PANE_US, SUMS_SCHEMA, joined, no_sums

#: Clients kept of a closed pane at most: those with the most requests.
CLIENT_CAP: Final = 50_000

#: Rows of an open pane that wait until they are added up.
_WAITING: Final = 200_000

_OPEN: Final = "open"
_CLOSED: Final = "pane-"


class Panes:
    """Adds sums up by client and pane, and tells of each pane's clients when it closes.

    `evicted` counts clients of a pane that were forgotten as it closed.
    """

    def __init__(self, client_cap: int = CLIENT_CAP) -> None:
        self.evicted = 0
        self._cap = client_cap
        self._waiting: list[pl.DataFrame] = []
        self._open = no_sums()
        self._closed: dict[int, pl.DataFrame] = {}

    def add(self, sums: pl.DataFrame) -> None:
        """Add sums (SUMS_SCHEMA) of panes that are not closed."""
        if sums.is_empty():
            return
        self._waiting.append(sums)
        if sum(frame.height for frame in self._waiting) > max(_WAITING, self._open.height):
            self._settle()

    def close(self, watermark: int | None) -> Iterator[tuple[int, pl.DataFrame]]:
        """Close what ended at the watermark (us since 1970) or before; None closes everything.

        Yields each pane's number and the windows (WINDOWS_SCHEMA) of its clients, in order.
        """
        if watermark is not None and not self._ends_by(watermark):
            return
        self._settle()
        ended = pl.lit(value=True)
        if watermark is not None:
            ended = pl.col("pane") < watermark // PANE_US
        for pane in self._open.filter(ended)["pane"].unique().sort().to_list():
            here = pl.col("pane") == pane
            self._keep(pane, self._open.filter(here))
            self._open = self._open.filter(~here)
            yield pane, windows(self._closed, pane)

    def parts(self) -> Mapping[str, pl.DataFrame]:
        """Return the state: a frame for what is open, and one a closed pane, the same each time."""
        self._settle()
        closed = {f"{_CLOSED}{pane}": frame for pane, frame in self._closed.items()}
        return {_OPEN: self._open, **closed}

    def take(self, parts: Mapping[str, pl.DataFrame]) -> bool:
        """Take over a state; say whether it was one."""
        if any(frame.schema != SUMS_SCHEMA for frame in parts.values()) or _OPEN not in parts:
            return False
        closed = {name.removeprefix(_CLOSED): parts[name] for name in parts if name != _OPEN}
        if not all(name.isdecimal() for name in closed):
            return False
        self._waiting, self._open = [], parts[_OPEN]
        self._closed = {int(name): closed[name] for name in sorted(closed, key=int)}
        return True

    def _ends_by(self, watermark: int) -> bool:
        frames = [frame for frame in (self._open, *self._waiting) if not frame.is_empty()]
        ended = pl.col("pane") < watermark // PANE_US
        return any(frame.select(ended.any()).item() for frame in frames)

    def _settle(self) -> None:
        if self._waiting:
            self._open = joined(pl.concat([self._open, *self._waiting]), "key", "pane")
            self._waiting = []

    def _keep(self, pane: int, rows: pl.DataFrame) -> None:
        if rows.height > self._cap:
            # In a total order: fewest requests, then oldest, then hash.
            order = rows.sort(["requests", "first", "key"], descending=[True, True, False])
            self.evicted += rows.height - self._cap
            rows = order.head(self._cap).sort("key")
        self._closed = {k: each for k, each in self._closed.items() if k > pane - PANES}
        self._closed[pane] = rows
