"""Evidence kept for entities that may yet become findings. Best effort and bounded."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from detectors.findings import EVIDENCE_LIMIT, Evidence
from ingest.evidence import evidence_columns

#: Entities (per rule) whose evidence is counted; the longest untouched leave first.
ENTITY_LIMIT: Final = 5_000

#: Rows of evidence kept per rule; the oldest leave first.
ROW_LIMIT: Final = 20_000

#: Entities of one rule that one batch may add evidence for.
BATCH_LIMIT: Final = 100


class Exhibits:
    """Up to EVIDENCE_LIMIT events per rule and entity, the first ones seen.

    They stay raw in memory, and are masked when a finding wants them: few ever are.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._rows: dict[str, deque[pl.DataFrame]] = {}

    def wanting(self, rule: str, entities: Iterable[str]) -> list[str]:
        """Return those of the entities, in their order, that have room for more evidence."""
        distinct = dict.fromkeys(entities)
        room = (e for e in distinct if self._counts.get((rule, e), 0) < EVIDENCE_LIMIT)
        return [entity for entity, _ in zip(room, range(BATCH_LIMIT), strict=False)]

    def keep(self, rule: str, rows: pl.DataFrame) -> None:
        """Keep events: the columns of EVENT_SCHEMA, and `entity`."""
        if rows.is_empty():
            return
        kept = self._rows.setdefault(rule, deque())
        kept.append(rows)
        while len(kept) > 1 and sum(frame.height for frame in kept) > ROW_LIMIT:
            kept.popleft()
        for entity, count in rows["entity"].value_counts().iter_rows():
            self._counts[rule, entity] = self._counts.get((rule, entity), 0) + count
            self._counts.move_to_end((rule, entity))
        while len(self._counts) > ENTITY_LIMIT:
            self._counts.popitem(last=False)

    def of(self, rule: str, entities: list[str]) -> Mapping[str, tuple[Evidence, ...]]:
        """Return what is kept for the entities under a rule, masked."""
        frames = [
            frame.filter(pl.col("entity").is_in(entities)) for frame in self._rows.get(rule, ())
        ]
        if not frames:
            return {}
        first = pl.concat(frames).group_by("entity", maintain_order=True).head(EVIDENCE_LIMIT)
        shown: dict[str, list[Evidence]] = {}
        masked = evidence_columns(first).iter_rows(named=True)
        for entity, row in zip(first["entity"].to_list(), masked, strict=True):
            shown.setdefault(entity, []).append(Evidence(**row))
        return {entity: tuple(rows) for entity, rows in shown.items()}
