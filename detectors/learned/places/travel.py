"""Users and API keys that are faster than anybody travels.

Each arrival is held against the one before of the same user or key. How far two countries are
apart is counted from where they are nearest to each other, so the speed is the least it can have
been; arrivals in one country, or in neighbouring ones, are never far. Addresses of anonymisers and
hosters were left out before (`arrivals`).
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.findings import EntityType
from detectors.learned.places.habits import EXIT_SCHEMA, LEAPER_SCHEMA, Habits
from detectors.learned.places.outlines import apart
from detectors.learned.seen.memory import ENTITY_SCHEMA, VALUE_SCHEMA, Memory, Recall
from detectors.learned.slots import DAY_US

#: Kilometres that countries must be apart; nearer ones are confused too easily.
FAR_KM: Final = 500

#: Two arrivals count as at least this far apart in time: clocks and logs are not exact.
LEAST_US: Final = 60_000_000
_HOUR_US: Final = 3_600_000_000

#: Days on which a country was seen before, so that it is usual.
_USUAL_DAYS: Final = 2

#: Countries that are remembered of one user or key.
_COUNTRIES: Final = 16

LAST_SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64(), "country": pl.String(), "network": pl.String(), "last": pl.Int64()}
)


class Travel:
    """Where users and keys were last, and what is usual for them."""

    def __init__(self, learning_days: int, memory_days: int, entity_cap: int) -> None:
        self._learning_days = learning_days
        self._memory_days = memory_days
        recall = Recall(learning_days, 1, memory_days, memory_days, _COUNTRIES)
        self.memory = Memory(
            recall, ("country",), entity_cap=entity_cap, value_cap=_COUNTRIES * entity_cap
        )
        self.habits = Habits(leaper_cap=entity_cap, exit_cap=2 * entity_cap)
        self.last = pl.DataFrame(schema=LAST_SCHEMA)

    def take(self, seen: pl.DataFrame, limits: Mapping[EntityType, int]) -> pl.DataFrame:
        """Score and then learn arrivals (ARRIVAL_SCHEMA) of one day, in order of panes.

        `limits` are km/h by type. Returns the leaps that nothing explains, the fastest of each
        pane: `row` and `from_row` of the arrivals (the latter null if it was in an earlier call),
        `from_country`, `km`, `gap` (us) and `speed` (km/h).
        """
        day = int(seen["pane"][0]) // DAY_US
        self.habits.forget(day - self._memory_days)
        self.memory.take(seen)
        leaps = self._leaps(seen, limits)
        told = self._told(leaps, day)
        self.habits.learn(leaps, day)
        return told

    def evict(self) -> None:
        """Forget those of whom there is least, if there are more than the caps allow."""
        self.memory.evict()
        if self.last.height > self.memory.entities.height:
            self.last = self.last.join(self.memory.entities, on="key", how="semi")

    def parts(self) -> dict[str, pl.DataFrame]:
        """Return the state by part."""
        return {
            "travellers": self.memory.entities,
            "traveller_countries": self.memory.values,
            "leapers": self.habits.leapers,
            "exits": self.habits.exits,
            "last": self.last,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned."""
        self.memory.entities, self.memory.values = parts["travellers"], parts["traveller_countries"]
        self.habits.leapers, self.habits.exits = parts["leapers"], parts["exits"]
        self.last = parts["last"]

    def _leaps(self, seen: pl.DataFrame, limits: Mapping[EntityType, int]) -> pl.DataFrame:
        """Return arrivals that are too far from the one before, in order of time."""
        order = ["key", "pane", "first", "country", "network"]
        rows = seen.select("type", "entity", *order, "last").with_row_index("row").sort(order)
        before = [pl.col(name).shift(1).over("key").alias(f"from_{name}") for name in
                  ("country", "network", "last", "row")]  # fmt: skip
        told = self.last.select("key", *(pl.col(name).alias(f"was_{name}") for name in
                                         ("country", "network", "last")))  # fmt: skip
        first = pl.col("key").is_first_distinct()
        paired = rows.with_columns(before).join(told, on="key", how="left", maintain_order="left")
        paired = paired.with_columns(
            pl.when(first).then(f"was_{name}").otherwise(f"from_{name}").alias(f"from_{name}")
            for name in ("country", "network", "last")
        )
        newest = rows.unique("key", keep="last", maintain_order=True).select(LAST_SCHEMA.names())
        rest = self.last.join(newest, on="key", how="anti")
        self.last = pl.concat([rest, newest.cast(LAST_SCHEMA)])
        limit = pl.col("type").replace_strict(dict(limits), default=None, return_dtype=pl.Int64)
        gap = pl.max_horizontal(pl.col("first") - pl.col("from_last"), 0)
        return (
            _far(paired.filter(pl.col("from_country") != pl.col("country")))
            .with_columns(gap=gap)
            .with_columns(
                speed=pl.col("km") * _HOUR_US // pl.max_horizontal("gap", pl.lit(LEAST_US))
            )
            .filter(pl.col("speed") >= limit)
            .sort("pane", "first", "key", "country")
        )

    def _told(self, leaps: pl.DataFrame, day: int) -> pl.DataFrame:
        if leaps.is_empty():
            return leaps
        earlier = pl.col("days") - (pl.col("day") == day).cast(pl.Int64)
        known = self.memory.entities.filter(earlier >= self._learning_days)
        usual = self.memory.values.filter(earlier >= _USUAL_DAYS).select("key", country="value")
        found = leaps.join(known, on="key", how="semi", maintain_order="left")
        both = found.join(usual, on=("key", "country"), how="semi").join(
            usual, left_on=("key", "from_country"), right_on=("key", "country"), how="semi"
        )
        found = found.join(both, on="row", how="anti", maintain_order="left")
        fastest = ["key", "pane", "speed", "km", "country", "from_country"]
        return (
            self.habits.unusual(found, day)
            .sort(fastest, descending=[False, False, True, True, False, False])
            .unique(["key", "pane"], keep="first", maintain_order=True)
            .sort("pane", "first", "key")
        )


def _far(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of countries that are far from each other, with `km` between them."""
    distinct = pairs.select("from_country", "country").unique()
    km = [apart(one, other) for one, other in distinct.iter_rows()]
    between = distinct.with_columns(pl.Series("km", km, dtype=pl.Int64))
    far = between.filter(pl.col("km") >= FAR_KM)
    return pairs.join(far, on=("from_country", "country"), how="inner", maintain_order="left")


SCHEMAS: Final = {
    "travellers": ENTITY_SCHEMA,
    "traveller_countries": VALUE_SCHEMA,
    "leapers": LEAPER_SCHEMA,
    "exits": EXIT_SCHEMA,
    "last": LAST_SCHEMA,
}
