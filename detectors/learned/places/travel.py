"""Users and API keys that are faster than anybody travels.

Each arrival is held against the one before of the same user or key. How far two countries are
apart is counted from where they are nearest to each other, so the speed is the least it can have
been; arrivals in one country, or in neighbouring ones, are never far. Where both have coordinates,
these are held against each other instead, less what they may be off.

Coordinates of cities are wrong more often than countries, and telephone companies hand out the same
addresses from one end of a country to the other. A leap that only coordinates show (a short one)
therefore counts only from or to a place or operator that is usual for the user or key, and only if
the other end is not; never within one operator's network. Addresses of anonymisers and hosters were
left out before (`arrivals`).
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.findings import EntityType
from detectors.learned.places.coordinates import kilometres, place
from detectors.learned.places.habits import (
    EXIT_CAP,
    EXIT_SCHEMA,
    LEAPER_CAP,
    LEAPER_SCHEMA,
    Habits,
)
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

#: Countries that are remembered of one user or key; also places, and operators of networks.
_VALUES: Final = 16
_KINDS: Final = ("country", "place", "operator")

#: All of these together; most people need few.
VALUE_CAP: Final = 1_600_000

LAST_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "country": pl.String(),
        "network": pl.String(),
        "location": pl.String(),
        "operator": pl.String(),
        "last": pl.Int64(),
    }
)
_BEFORE: Final = ("country", "network", "location", "operator", "last")


class Travel:
    """Where users and keys were last, and what is usual for them."""

    def __init__(self, learning_days: int, memory_days: int, entity_cap: int) -> None:
        self._learning_days = learning_days
        self._memory_days = memory_days
        recall = Recall(learning_days, 1, memory_days, memory_days, _VALUES)
        values = min(VALUE_CAP, len(_KINDS) * _VALUES * entity_cap)
        self.memory = Memory(recall, _KINDS, entity_cap=entity_cap, value_cap=values)
        self.habits = _habits(entity_cap)
        self.short_habits = _habits(entity_cap)
        self.last = pl.DataFrame(schema=LAST_SCHEMA)

    def take(self, seen: pl.DataFrame, limits: Mapping[EntityType, int]) -> pl.DataFrame:
        """Score and then learn arrivals of one day, in order of panes: ARRIVAL_SCHEMA and `place`.

        `limits` are km/h by type. Returns the leaps that nothing explains, the fastest of each
        pane: `row` and `from_row` of the arrivals (the latter null if it was in an earlier call),
        `from_country`, `km`, `gap` (us), `speed` (km/h), the two `operator` and `from_operator`,
        `located` (by coordinates) and `short` (only coordinates show it).
        """
        day = int(seen["pane"][0]) // DAY_US
        for habits in (self.habits, self.short_habits):
            habits.forget(day - self._memory_days)
        self.memory.take(seen)
        leaps = self._leaps(seen, limits)
        told = self._told(leaps, day)
        self.habits.learn(leaps.filter(~pl.col("short")), day)
        self.short_habits.learn(leaps.filter("short"), day)
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
            "short_leapers": self.short_habits.leapers,
            "short_exits": self.short_habits.exits,
            "last": self.last,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned."""
        self.memory.entities, self.memory.values = parts["travellers"], parts["traveller_countries"]
        self.habits.leapers, self.habits.exits = parts["leapers"], parts["exits"]
        self.short_habits.leapers = parts["short_leapers"]
        self.short_habits.exits = parts["short_exits"]
        self.last = parts["last"]

    def _leaps(self, seen: pl.DataFrame, limits: Mapping[EntityType, int]) -> pl.DataFrame:
        """Return arrivals that are too far from the one before, in order of time."""
        order = ["key", "pane", "first", *_BEFORE[:-1]]
        rows = seen.select("type", "entity", *order, "last").with_row_index("row").sort(order)
        before = [pl.col(name).shift(1).over("key").alias(f"from_{name}") for name in
                  (*_BEFORE, "row")]  # fmt: skip
        told = self.last.select("key", *(pl.col(name).alias(f"was_{name}") for name in _BEFORE))
        first = pl.col("key").is_first_distinct()
        paired = rows.with_columns(before).join(told, on="key", how="left", maintain_order="left")
        paired = paired.with_columns(
            pl.when(first).then(f"was_{name}").otherwise(f"from_{name}").alias(f"from_{name}")
            for name in _BEFORE
        )
        newest = rows.unique("key", keep="last", maintain_order=True).select(LAST_SCHEMA.names())
        rest = self.last.join(newest, on="key", how="anti")
        self.last = pl.concat([rest, newest.cast(LAST_SCHEMA)])
        limit = pl.col("type").replace_strict(dict(limits), default=None, return_dtype=pl.Int64)
        gap = pl.max_horizontal(pl.col("first") - pl.col("from_last"), 0)
        return (
            _far(paired)
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
        country = pl.col("kind") == "country"
        usual = self.memory.values.filter(country & (earlier >= _USUAL_DAYS)).select(
            "key", country="value"
        )
        found = leaps.join(known, on="key", how="semi", maintain_order="left")
        abroad = found.filter(pl.col("country") != pl.col("from_country"))
        both = abroad.join(usual, on=("key", "country"), how="semi").join(
            usual, left_on=("key", "from_country"), right_on=("key", "country"), how="semi"
        )
        found = found.join(both, on="row", how="anti", maintain_order="left")
        long = self.habits.unusual(found, day)
        short = self.short_habits.unusual(self._settled(long.filter("short"), day), day)
        found = pl.concat([long.filter(~pl.col("short")), short])
        fastest = ["key", "pane", "speed", "km", "country", "from_country", "row"]
        return (
            found.sort(fastest, descending=[False, False, True, True, False, False, False])
            .unique(["key", "pane"], keep="first", maintain_order=True)
            .sort("pane", "first", "key")
        )

    def _settled(self, leaps: pl.DataFrame, day: int) -> pl.DataFrame:
        """Return short leaps of those whose places are known, where just one end is usual.

        An end is usual if its place or its operator is. Who had been in more places, or with more
        operators, than are remembered is at home nowhere; what the day itself brings does not
        count: it may be the thief's.
        """
        if leaps.is_empty():
            return leaps
        values = self.memory.values.join(leaps, on="key", how="semi")
        fine = values.filter(pl.col("kind") != "country")
        earlier_ones = fine.filter(pl.col("since") < day).group_by("key", "kind").len()
        crowded = earlier_ones.filter(pl.col("len") >= _VALUES)
        learned = (
            fine.group_by("key")
            .agg(pl.col("since").min())
            .filter(pl.col("since") <= day - self._learning_days)
        )
        earlier = pl.col("days") - (pl.col("day") == day).cast(pl.Int64)
        usual = fine.filter(earlier >= _USUAL_DAYS)
        found = leaps.join(learned, on="key", how="semi", maintain_order="left").join(
            crowded, on="key", how="anti", maintain_order="left"
        )
        return found.filter(_is_usual(found, usual, "") != _is_usual(found, usual, "from_"))


def _habits(entity_cap: int) -> Habits:
    return Habits(leaper_cap=min(LEAPER_CAP, entity_cap), exit_cap=min(EXIT_CAP, 2 * entity_cap))


def _is_usual(leaps: pl.DataFrame, usual: pl.DataFrame, end: str) -> pl.Series:
    """Return whether the place or the operator at one end of each leap is a usual one."""
    ends = leaps.select(
        "row", "key", place=place(f"{end}location"), operator=pl.col(f"{end}operator")
    )
    named = ends.unpivot(["place", "operator"], index=["row", "key"], variable_name="kind")
    known = named.join(usual, on=("key", "kind", "value"), how="semi")
    return leaps["row"].is_in(known["row"].implode())


def _far(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs that are far from each other: with `km` between them, `located`, `short`.

    By coordinates, where both have them and these are not too vague to tell more than countries;
    by countries else. Short ones are not within one operator.
    """
    located = pl.col("location").is_not_null() & pl.col("from_location").is_not_null()
    moved = pairs.filter(
        (pl.col("from_country") != pl.col("country"))
        | (located & (pl.col("location") != pl.col("from_location")))
    )
    distinct = moved.select("from_country", "country").unique()
    km = [apart(one, other) for one, other in distinct.iter_rows()]
    between = distinct.with_columns(pl.Series("km", km, dtype=pl.Int64))
    countries = pl.col("km").fill_null(0)
    exact = kilometres("from_location", "location").fill_null(0)
    one_network = pl.col("operator").eq_missing(pl.col("from_operator"))
    return (
        moved.join(between, on=("from_country", "country"), how="left", maintain_order="left")
        .with_columns(
            located=located & (exact >= countries),
            short=countries < FAR_KM,
            km=pl.max_horizontal(exact, countries),
        )
        .filter((pl.col("km") >= FAR_KM) & ~(pl.col("short") & one_network))
    )


SCHEMAS: Final = {
    "travellers": ENTITY_SCHEMA,
    "traveller_countries": VALUE_SCHEMA,
    "leapers": LEAPER_SCHEMA,
    "exits": EXIT_SCHEMA,
    "short_leapers": LEAPER_SCHEMA,
    "short_exits": EXIT_SCHEMA,
    "last": LAST_SCHEMA,
}
