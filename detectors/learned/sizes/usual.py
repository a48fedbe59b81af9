"""What is usual of a route: histograms of whole days, of which old ones count less and less."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.learned.sizes.sums import most_of

#: Routes whose distributions are kept; beyond, those with the fewest answers are forgotten.
ROUTE_CAP: Final = 2_000

#: What is left of every count when a day is over, in eighths.
_KEEP: Final = 7
_OF: Final = 8

#: What nearly all are below, in thousandths; and how many times that an odd one must be.
_MOST: Final = 999
FACTOR: Final = 4

#: Two kinds of what is counted in buckets: sizes of answers, and objects of one caller in a pane.
HISTOGRAM_SCHEMA: Final = pl.Schema(
    {"kind": pl.Int8(), "route": pl.String(), "bucket": pl.Int16(), "count": pl.Int64()}
)
ROUTE_SCHEMA: Final = pl.Schema(
    {"kind": pl.Int8(), "route": pl.String(), "since": pl.Int64(), "days": pl.Int64()}
)
_DAY_SCHEMA: Final = pl.Schema({"day": pl.Int64()})

#: Of a route that is known well: the most that nearly all have, and FACTOR times that.
LIMIT_SCHEMA: Final = pl.Schema(
    {"kind": pl.Int8(), "route": pl.String(), "most": pl.Int64(), "limit": pl.Int64()}
)
_BY: Final = ["kind", "route"]


class Usual:
    """Learns within a day, and knows what was learned on whole days before it."""

    def __init__(self, days: int, least: Mapping[int, int], cap: int = ROUTE_CAP) -> None:
        """A route is known after so many `days` and, of each kind, at least so many counts."""
        self._days = days
        self._least = least
        self._cap = cap
        self._known = pl.DataFrame(schema=HISTOGRAM_SCHEMA)
        self._today = pl.DataFrame(schema=HISTOGRAM_SCHEMA)
        self._routes = pl.DataFrame(schema=ROUTE_SCHEMA)
        self._day = pl.DataFrame(schema=_DAY_SCHEMA)
        self.limits = pl.DataFrame(schema=LIMIT_SCHEMA)
        self.evicted = 0

    def begin(self, day: int) -> None:
        """Take up what was learned on the day before, if a new day (since 1970) begins."""
        if self._day.height and int(self._day["day"][0]) >= day:
            return
        if self._today.height:
            self._take_up(int(self._day["day"][0]))
        self._day = pl.DataFrame({"day": [day]}, _DAY_SCHEMA)

    def learn(self, counts: pl.DataFrame) -> None:
        """Add counts of today (HISTOGRAM_SCHEMA)."""
        both = pl.concat([self._today, counts.select(HISTOGRAM_SCHEMA.names())])
        self._today = _summed(both)

    @property
    def routes(self) -> pl.DataFrame:
        """Since which day each route is known, and on how many days (ROUTE_SCHEMA)."""
        return self._routes

    def parts(self) -> dict[str, pl.DataFrame]:
        """Return the state as frames, the same ones where nothing changed."""
        return {
            "known": self._known,
            "today": self._today,
            "routes": self._routes,
            "day": self._day,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned."""
        self._known = parts["known"].select(HISTOGRAM_SCHEMA.names())
        self._today = parts["today"].select(HISTOGRAM_SCHEMA.names())
        self._routes = parts["routes"].select(ROUTE_SCHEMA.names())
        self._day = parts["day"].select(_DAY_SCHEMA.names())
        self.limits = self._limits()

    def _take_up(self, day: int) -> None:
        older = self._known.with_columns(pl.col("count") * _KEEP // _OF)
        self._known = _summed(pl.concat([older.filter(pl.col("count") > 0), self._today]))
        new = self._today.select(_BY).unique().with_columns(since=pl.lit(day), days=pl.lit(1))
        both = pl.concat([self._routes, new.select(ROUTE_SCHEMA.names()).cast(ROUTE_SCHEMA)])
        self._routes = (
            both.group_by(_BY)
            .agg(pl.col("since").min(), pl.col("days").sum())
            .join(self._known, on=_BY, how="semi")
            .sort(_BY)
        )
        self._today = self._today.clear()
        self._forget()
        self.limits = self._limits()

    def _forget(self) -> None:
        counts = self._known.group_by(_BY).agg(pl.col("count").sum())
        if counts.height > self._cap:
            self.evicted += counts.height - self._cap
            kept = counts.sort(["count", *_BY]).tail(self._cap)
            self._known = self._known.join(kept, on=_BY, how="semi", maintain_order="left")
            self._routes = self._routes.join(kept, on=_BY, how="semi", maintain_order="left")

    def _limits(self) -> pl.DataFrame:
        known = self._known.sort([*_BY, "bucket"]).with_columns(
            below=pl.col("count").cum_sum().over(_BY), total=pl.col("count").sum().over(_BY)
        )
        enough = pl.col("kind").replace_strict(
            list(self._least), list(self._least.values()), return_dtype=pl.Int64
        )
        found = (
            known.filter(
                (pl.col("total") >= enough) & (pl.col("below") * 1000 >= pl.col("total") * _MOST)
            )
            .group_by(_BY)
            .agg(pl.col("bucket").min())
            .join(self._routes.filter(pl.col("days") >= self._days), on=_BY, how="semi")
            .sort(_BY)
        )
        most = [most_of(bucket) for bucket in found["bucket"].to_list()]
        return (
            found.with_columns(pl.Series("most", most, pl.Int64))
            .with_columns(limit=pl.col("most") * FACTOR)
            .select(LIMIT_SCHEMA.names())
            .cast(LIMIT_SCHEMA)
        )


def _summed(counts: pl.DataFrame) -> pl.DataFrame:
    by = [*_BY, "bucket"]
    return counts.group_by(by).agg(pl.col("count").sum()).sort(by).cast(HISTOGRAM_SCHEMA)
