"""What is known of everybody, and what is new: a day of sightings at a time.

All that is remembered is counted in days, so that the order of requests within a minute, and how
the stream was cut, cannot matter: what is known of somebody at a time is what was seen before.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from detectors.learned.seen.sightings import KINDS
from detectors.learned.slots import DAY_US, told_apart

#: Entities and values remembered at most; beyond, those seen on the fewest days are forgotten.
ENTITY_CAP: Final = 100_000
VALUE_CAP: Final = 1_000_000

#: `since` and `day` are the first and last day (days since 1970) with requests, `days` how many
#: days there were, `requests` how many requests (at most as many as learning needs), `today` how
#: many of these on the last day.
ENTITY_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "type": pl.String(),
        "entity": pl.String(),
        "since": pl.Int64(),
        "day": pl.Int64(),
        "days": pl.Int64(),
        "requests": pl.Int64(),
        "today": pl.Int64(),
    }
)

VALUE_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "kind": pl.String(),
        "value": pl.String(),
        "since": pl.Int64(),
        "day": pl.Int64(),
        "days": pl.Int64(),
    }
)

#: What was new or rare: in which pane (us) first, and the row of the sighting. `before` is the
#: day it was seen on, if it is rare.
NEWS_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "kind": pl.String(),
        "value": pl.String(),
        "pane": pl.Int64(),
        "row": pl.UInt32(),
        "before": pl.Int64(),
    }
)

_VALUE: Final = ("key", "kind", "value")


class Recall(NamedTuple):
    """How much must be known, and for how long it is remembered; see SeenSettings.

    Of one kind and entity no more values than `usual` are remembered: others are no news.
    """

    learning_days: int
    learning_requests: int
    memory_days: int
    rare_days: int
    usual: int


class Memory:
    """Entities, and the countries, networks and programs that each was seen with."""

    def __init__(
        self,
        recall: Recall,
        kinds: Sequence[str] = KINDS,
        *,
        entity_cap: int = ENTITY_CAP,
        value_cap: int = VALUE_CAP,
    ) -> None:
        self._recall = recall
        self._kinds = tuple(kinds)
        self._entity_cap = entity_cap
        self._value_cap = value_cap
        self.entities = pl.DataFrame(schema=ENTITY_SCHEMA)
        self.values = pl.DataFrame(schema=VALUE_SCHEMA)
        self.evicted = 0

    def fits(self, seen: pl.DataFrame) -> bool:
        """Whether sightings can be taken in without anything being forgotten for them."""
        kinds = seen.select(
            pl.sum_horizontal(pl.col(kind).is_not_null() for kind in self._kinds).sum()
        )
        entities = self.entities.height + seen["key"].n_unique()
        return entities <= self._entity_cap and self.values.height + kinds.item() <= self._value_cap

    def take(self, seen: pl.DataFrame) -> pl.DataFrame:
        """Score and then learn sightings (SIGHTING_SCHEMA) of one day, in order of panes.

        Returns what was new or rare, of entities of which enough is known: NEWS_SCHEMA, in order
        of panes.
        """
        day = int(seen["pane"][0]) // DAY_US
        self._forget(day)
        accepted = seen.with_row_index("row").filter(pl.col("requests") > 0)
        firsts = self._firsts(accepted)
        news = self._news(firsts, day)
        self._learn_entities(accepted, day)
        self._learn_values(firsts, day)
        return news

    def evict(self) -> None:
        """Forget those of whom there is least, if there are more than the caps allow."""
        if self.entities.height <= self._entity_cap and self.values.height <= self._value_cap:
            return
        counts = self.values.group_by("key").len("values")
        ranked = self.entities.join(counts, on="key", how="left").sort(
            ["days", "day", "key"], descending=True
        )
        held = pl.col("values").fill_null(0).cum_sum() <= self._value_cap
        kept = ranked.head(self._entity_cap).filter(held)
        self.evicted += self.entities.height - kept.height
        self._keep(kept.select(ENTITY_SCHEMA.names()))

    def known(self, key: int, kind: str, day: int) -> list[str]:
        """Return the values of a kind that an entity had before a day, the eldest first."""
        mine = (pl.col("key") == key) & (pl.col("kind") == kind) & (pl.col("since") < day)
        found: list[str] = self.values.filter(mine).sort("since", "value")["value"].to_list()
        return found

    def _forget(self, day: int) -> None:
        least = day - self._recall.memory_days
        if self.entities["day"].lt(least).any():
            self._keep(self.entities.filter(pl.col("day") >= least))
        if self.values["day"].lt(least).any():
            self.values = self.values.filter(pl.col("day") >= least)

    def _keep(self, entities: pl.DataFrame) -> None:
        self.entities = entities
        self.values = self.values.join(entities, on="key", how="semi")

    def _firsts(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """Return the first sighting of each value, beside what was known of it and of its kind.

        Sightings of one entity are in order of time. `already` counts the values that were known
        or new before it.
        """
        mine = self.values.join(accepted, on="key", how="semi")
        return pl.concat(self._of_kind(accepted, mine, kind) for kind in self._kinds)

    def _of_kind(self, accepted: pl.DataFrame, mine: pl.DataFrame, kind: str) -> pl.DataFrame:
        values = accepted.select("key", "pane", "first", "row", value=kind)
        values = values.filter(pl.col("value").is_not_null())
        firsts = values.filter(told_apart(values.select("key", "value")).is_first_distinct())
        known = mine.filter(pl.col("kind") == kind)
        counts = known.group_by("key").agg(
            pl.len().cast(pl.Int64).alias("count"), pl.col("since").min().alias("kind_since")
        )
        beside = known.select("key", "value", "day", "days", value_since="since")
        whole = (
            firsts.join(beside, on=("key", "value"), how="left", maintain_order="left")
            .join(counts, on="key", how="left", maintain_order="left")
            .with_columns(kind=pl.lit(kind))
        )
        new = pl.col("day").is_null().cast(pl.Int64)
        several = whole["key"].is_duplicated()
        alone = whole.filter(~several).with_columns(earlier=pl.lit(0, pl.Int64))
        crowded = (
            whole.filter(several)
            .sort("pane", "first", "value")
            .with_columns(earlier=new.cum_sum().over("key") - new)
        )
        already = pl.col("count").fill_null(0) + pl.col("earlier")
        return pl.concat([alone, crowded]).with_columns(already=already)

    def _news(self, firsts: pl.DataFrame, day: int) -> pl.DataFrame:
        rules = self._recall
        today = pl.col("entity_day") == day
        ready = (pl.col("entity_days") - today.cast(pl.Int64) >= rules.learning_days) & (
            pl.col("requests") - pl.when(today).then("today").otherwise(0)
            >= rules.learning_requests
        )
        learned = pl.col("kind_since") <= day - rules.learning_days
        new = pl.col("day").is_null() & (pl.col("already") < rules.usual)
        rare = (
            (pl.col("days") == 1)
            & (pl.col("day") <= day - rules.rare_days)
            & (pl.col("count") <= rules.usual)
        )
        candidates = firsts.filter(learned & (new | rare))
        if candidates.is_empty():
            return pl.DataFrame(schema=NEWS_SCHEMA)
        who = self.entities.select(
            "key", "requests", "today", entity_day="day", entity_days="days"
        ).join(candidates, on="key", how="semi")
        return (
            candidates.join(who, on="key", how="inner", maintain_order="left")
            .filter(ready)
            .sort("pane", "first", "value", "row")
            .select("key", "kind", "value", "pane", "row", before="day")
            .cast(NEWS_SCHEMA)
        )

    def _learn_entities(self, accepted: pl.DataFrame, day: int) -> None:
        enough = self._recall.learning_requests
        seen = accepted.group_by("key").agg(
            pl.col("type", "entity").first(), pl.col("requests").sum().alias("more")
        )
        unchanged = (pl.col("day") == day) & (pl.col("requests") >= enough)
        seen = seen.join(self.entities.filter(unchanged), on="key", how="anti")
        if seen.is_empty():
            return
        was = self.entities.select("key", "since", "day", "days", "requests", "today")
        same = pl.col("day") == day
        more = pl.min_horizontal(pl.col("more"), pl.lit(enough) - pl.col("requests").fill_null(0))
        grown = seen.join(was, on="key", how="left").select(
            "key",
            "type",
            "entity",
            since=pl.col("since").fill_null(day),
            day=pl.lit(day, pl.Int64),
            days=pl.col("days").fill_null(0) + (~same.fill_null(value=False)).cast(pl.Int64),
            requests=pl.col("requests").fill_null(0) + more,
            today=pl.when(same).then(pl.col("today") + more).otherwise(more),
        )
        rest = self.entities.join(grown, on="key", how="anti")
        self.entities = pl.concat([rest, grown.cast(ENTITY_SCHEMA)])

    def _learn_values(self, firsts: pl.DataFrame, day: int) -> None:
        room = pl.col("day").is_not_null() | (pl.col("already") < self._recall.usual)
        changed = firsts.filter(room & (pl.col("day").is_null() | (pl.col("day") < day)))
        if changed.is_empty():
            return
        grown = changed.select(
            *_VALUE,
            since=pl.col("value_since").fill_null(day),
            day=pl.lit(day, pl.Int64),
            days=pl.col("days").fill_null(0) + 1,
        )
        rest = self.values.join(grown, on=_VALUE, how="anti")
        self.values = pl.concat([rest, grown.cast(VALUE_SCHEMA)])
