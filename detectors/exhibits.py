"""Evidence kept for entities that may yet become findings. Best effort and bounded."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import polars as pl
import polars.selectors as cs

from detectors.findings import EVIDENCE_LIMIT, Evidence
from ingest.evidence import SHOWN, SHOWN_SCHEMA, evidence_columns

#: Entities (per rule) whose evidence is kept; the longest untouched leave first.
ENTITY_LIMIT: Final = 5_000

#: Characters of a text that are kept; fewer are shown.
TEXT_LIMIT: Final = 4_096

#: Entities of one rule that one batch may add evidence for.
BATCH_LIMIT: Final = 100


class Exhibits:
    """Up to EVIDENCE_LIMIT events per rule and entity, the first ones seen.

    They stay raw in memory, and are masked when a finding wants them: few ever are. They are
    copied out of their batch, which would be held in memory by a single row of it.
    """

    def __init__(self) -> None:
        self._raw: OrderedDict[tuple[str, str], list[tuple[Any, ...]]] = OrderedDict()
        self._masked: dict[tuple[str, str], tuple[Evidence, ...]] = {}

    def wanting(self, rule: str, entities: Iterable[str]) -> list[str]:
        """Return those of the entities, in their order, that have room for more evidence."""
        distinct = dict.fromkeys(entities)
        room = (e for e in distinct if len(self._raw.get((rule, e), ())) < EVIDENCE_LIMIT)
        return [entity for entity, _ in zip(room, range(BATCH_LIMIT), strict=False)]

    def keep(self, rule: str, rows: pl.DataFrame) -> None:
        """Keep events: `entity`, and the columns of SHOWN."""
        short = rows.select("entity", *SHOWN).with_columns(cs.string().str.head(TEXT_LIMIT))
        for entity, *event in short.iter_rows():
            kept = self._raw.setdefault((rule, entity), [])
            if len(kept) < EVIDENCE_LIMIT:
                kept.append(tuple(event))
            self._raw.move_to_end((rule, entity))
        while len(self._raw) > ENTITY_LIMIT:
            key, _ = self._raw.popitem(last=False)
            self._masked.pop(key, None)

    def of(self, rule: str, entities: Iterable[str]) -> dict[str, tuple[Evidence, ...]]:
        """Return what is kept for entities under a rule, masked, all of it in one pass."""
        wanted = {entity: (rule, entity) for entity in entities}
        new = [
            (entity, event)
            for entity, key in wanted.items()
            for event in self._raw.get(key, [])[len(self._masked.get(key, ())) :]
        ]
        if new:
            raw = pl.DataFrame([event for _, event in new], schema=SHOWN_SCHEMA, orient="row")
            told = evidence_columns(raw).iter_rows(named=True)
            for (entity, _), row in zip(new, told, strict=True):
                key = wanted[entity]
                self._masked[key] = (*self._masked.get(key, ()), Evidence(**row))
        return {entity: self._masked.get(key, ()) for entity, key in wanted.items()}


def masked_evidence(events: pl.DataFrame) -> tuple[Evidence, ...]:
    """Return a few events (the columns of SHOWN) as evidence, masked, EVIDENCE_LIMIT at most."""
    told = evidence_columns(events.head(EVIDENCE_LIMIT)).iter_rows(named=True)
    return tuple(Evidence(**row) for row in told)
