"""Evidence for endpoints that may be told when their pane is over: masked, and few."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.findings import EVIDENCE_LIMIT, Evidence, earliest
from ingest.evidence import EVIDENCE_SCHEMA, evidence_columns

#: Endpoints of all open panes that keep some.
KEPT: Final = 1_000

SAMPLE_SCHEMA: Final = pl.Schema({"key": pl.UInt64(), "pane": pl.Int64(), **EVIDENCE_SCHEMA})


class Samples:
    """The first answered requests of endpoints, by key and pane. Best effort."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[Evidence, ...]] = {}
        self._frame: pl.DataFrame | None = None

    def keep(self, sums: pl.DataFrame) -> None:
        """Keep the requests that sums of a batch show (key, pane, shown)."""
        if sums.is_empty():
            return
        room = [
            place
            for place, at in enumerate(sums.select("key", "pane").rows())
            if len(self._kept.get(at, ())) < EVIDENCE_LIMIT
            and (at in self._kept or len(self._kept) < KEPT)
        ][:KEPT]
        if not room:
            return
        some = sums[room]
        told = evidence_columns(some["shown"].struct.unnest())
        for at, row in zip(
            some.select("key", "pane").rows(), told.iter_rows(named=True), strict=True
        ):
            self._kept[at] = earliest([*self._kept.get(at, ()), Evidence(**row)])
        self._frame = None

    def of(self, key: int, pane: int) -> tuple[Evidence, ...]:
        """Return what is kept of one endpoint and pane."""
        return self._kept.get((key, pane), ())

    def forget(self, limit: int) -> None:
        """Let go of those of panes before `limit`."""
        old = [at for at in self._kept if at[1] < limit]
        for at in old:
            del self._kept[at]
        if old:
            self._frame = None

    def part(self) -> pl.DataFrame:
        """Return the state as a frame, the same one while nothing changed."""
        if self._frame is None:
            names = EVIDENCE_SCHEMA.names()
            rows = [
                (*at, *(getattr(event, name) for name in names))
                for at, events in self._kept.items()
                for event in events
            ]
            self._frame = pl.DataFrame(rows, SAMPLE_SCHEMA, orient="row")
        return self._frame

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `part` returned."""
        self._frame = parts["samples"]
        self._kept = {}
        for key, pane, *event in self._frame.select(SAMPLE_SCHEMA.names()).rows():
            row = dict(zip(EVIDENCE_SCHEMA.names(), event, strict=True))
            self._kept[key, pane] = (*self._kept.get((key, pane), ()), Evidence(**row))
