"""What was new lately, and how urgently it is told: several kinds at once, or after refusals."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import polars as pl

from detectors.learned.seen.memory import NEWS_SCHEMA
from detectors.learned.seen.sightings import KINDS

#: What is new within an hour is new at once; refusals of that hour came before it.
WINDOW_US: Final = 3_600_000_000

#: Refused requests (401, 403) within the hour from which on news follow failures.
REFUSED: Final = 3

REFUSAL_SCHEMA: Final = pl.Schema({"key": pl.UInt64(), "pane": pl.Int64(), "refused": pl.Int64()})
RECENT_SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64(), "kind": pl.String(), "value": pl.String(), "pane": pl.Int64()}
)


class Item(NamedTuple):
    """What is new about an entity in one pane, and in the hour that ends with it.

    `values` are those of the hour by kind, `rows` the sightings of the pane, `before` the days on
    which what is only rare was seen, by kind. `refused` requests came in that hour.
    """

    key: int
    pane: int
    rows: tuple[int, ...]
    values: dict[str, str]
    before: dict[str, int]
    refused: int


class Lately:
    """News and refusals of the last hour."""

    def __init__(self) -> None:
        self.recent = pl.DataFrame(schema=RECENT_SCHEMA)
        self.refusals = pl.DataFrame(schema=REFUSAL_SCHEMA)

    def refuse(self, seen: pl.DataFrame, entities: pl.DataFrame) -> None:
        """Remember the refusals among sightings (SIGHTING_SCHEMA) of known entities."""
        some = seen.filter(pl.col("refused") > 0)
        if some.is_empty():
            return
        known = some.join(entities, on="key", how="semi")
        summed = known.group_by("key", "pane", maintain_order=True).agg(pl.col("refused").sum())
        self.refusals = pl.concat([self.refusals, summed.cast(REFUSAL_SCHEMA)])

    def items(self, news: pl.DataFrame) -> Iterator[Item]:
        """Yield what is new (NEWS_SCHEMA, in order of panes), joined by entity and pane."""
        if news.is_empty():
            return
        told = self.recent.join(news, on="key", how="semi").rows(named=True)
        lately: dict[int, list[dict[str, Any]]] = {}
        for row in told:
            lately.setdefault(row["key"], []).append(row)
        for (key, pane), group in news.group_by("key", "pane", maintain_order=True):
            mine = lately.setdefault(int(str(key)), [])
            mine += group.rows(named=True)
            yield self._item(int(str(key)), int(str(pane)), group, mine)
        fresh = news.select(RECENT_SCHEMA.names())
        self.recent = pl.concat([self.recent, fresh])

    def forget(self, newest: int) -> None:
        """Let go of what is older than an hour before the newest closed pane (us)."""
        least = newest - WINDOW_US
        if self.recent["pane"].le(least).any():
            self.recent = self.recent.filter(pl.col("pane") > least)
        if self.refusals["pane"].le(least).any():
            self.refusals = self.refusals.filter(pl.col("pane") > least)

    def _item(self, key: int, pane: int, group: pl.DataFrame, mine: list[dict[str, Any]]) -> Item:
        least = pane - WINDOW_US
        hour = [row for row in mine if least < row["pane"] <= pane]
        values = {
            kind: min((row["pane"], row["value"]) for row in hour if row["kind"] == kind)[1]
            for kind in KINDS
            if any(row["kind"] == kind for row in hour)
        }
        before = {
            row["kind"]: row["before"]
            for row in group.select(NEWS_SCHEMA.names()).rows(named=True)
            if row["before"] is not None
        }
        near = (pl.col("key") == key) & pl.col("pane").is_between(least, pane, closed="right")
        refused = int(self.refusals.filter(near)["refused"].sum())
        return Item(key, pane, tuple(group["row"].to_list()), values, before, refused)
