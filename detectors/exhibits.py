"""Evidence kept for entities that may yet become findings. Best effort, masked, bounded."""

from collections import OrderedDict
from typing import Final

import polars as pl

from detectors.findings import EVIDENCE_LIMIT, Evidence
from ingest.evidence import evidence_columns

#: Entities (per rule) for which evidence is kept at most; the longest untouched leave first.
ENTITY_LIMIT: Final = 2_000

#: Entities of one rule that one batch may add evidence for.
BATCH_LIMIT: Final = 100


class Exhibits:
    """Up to EVIDENCE_LIMIT masked events per rule and entity, the first ones seen."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], list[Evidence]] = OrderedDict()

    def wanting(self, rule: str, entities: pl.Series) -> list[str]:
        """Return those of the entities that have room for more evidence."""
        names = [
            name
            for name in entities.unique(maintain_order=True).to_list()
            if len(self._kept.get((rule, name), ())) < EVIDENCE_LIMIT
        ]
        return names[:BATCH_LIMIT]

    def keep(self, rule: str, entities: pl.Series, events: pl.DataFrame) -> None:
        """Keep evidence of events (BATCH_SCHEMA, few rows); `entities` names the one of each."""
        rows = evidence_columns(events).iter_rows(named=True)
        for entity, row in zip(entities.to_list(), rows, strict=True):
            kept = self._kept.setdefault((rule, entity), [])
            self._kept.move_to_end((rule, entity))
            if len(kept) < EVIDENCE_LIMIT:
                kept.append(Evidence(**row))
        while len(self._kept) > ENTITY_LIMIT:
            self._kept.popitem(last=False)

    def of(self, rule: str, entity: str) -> tuple[Evidence, ...]:
        """Return what is kept for an entity under a rule."""
        return tuple(self._kept.get((rule, entity), ()))
