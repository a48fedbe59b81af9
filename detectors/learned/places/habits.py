"""What of impossible travel is usual: who is always in many places, which networks others leap to.

An API key of a fleet, or a user behind a VPN that no geo data know, leaps every day: that is no
news. A network that several others leaped from or to on earlier days is an exit that people share.
Both are counted in days, so that the order within a day cannot matter.
"""

from typing import Final

import polars as pl

#: Days with leaps after which more of the same user or key are no news.
WANDERING_DAYS: Final = 3

#: Others who leaped from or to a network on earlier days, so that it is a shared exit.
OTHERS: Final = 2

LEAPER_CAP: Final = 50_000
EXIT_CAP: Final = 100_000

#: Who leaped: the last day (since 1970) on which, and on how many days.
LEAPER_SCHEMA: Final = pl.Schema({"key": pl.UInt64(), "day": pl.Int64(), "days": pl.Int64()})

#: Networks that somebody leaped from or to: the first and the last day on which.
EXIT_SCHEMA: Final = pl.Schema(
    {"network": pl.String(), "key": pl.UInt64(), "since": pl.Int64(), "day": pl.Int64()}
)


class Habits:
    """Who leaps, and over which networks."""

    def __init__(self, *, leaper_cap: int, exit_cap: int) -> None:
        self._leaper_cap = leaper_cap
        self._exit_cap = exit_cap
        self.leapers = pl.DataFrame(schema=LEAPER_SCHEMA)
        self.exits = pl.DataFrame(schema=EXIT_SCHEMA)

    def forget(self, least: int) -> None:
        """Let go of what was not seen since a day."""
        if self.leapers["day"].lt(least).any():
            self.leapers = self.leapers.filter(pl.col("day") >= least)
        if self.exits["day"].lt(least).any():
            self.exits = self.exits.filter(pl.col("day") >= least)

    def unusual(self, leaps: pl.DataFrame, day: int) -> pl.DataFrame:
        """Return the leaps (`key`, `network`, `from_network`) that earlier days do not explain."""
        wandering = self.leapers.filter(
            pl.col("days") - (pl.col("day") == day).cast(pl.Int64) >= WANDERING_DAYS
        )
        found = leaps.join(wandering, on="key", how="anti", maintain_order="left")
        for column in ("network", "from_network"):
            users = self.exits.filter(pl.col("since") < day).select("network", other=pl.col("key"))
            near = (
                found.select("row", "key", column)
                .join(users, left_on=column, right_on="network", how="inner")
                .filter(pl.col("other") != pl.col("key"))
                .group_by("row")
                .agg(pl.col("other").n_unique())
                .filter(pl.col("other") >= OTHERS)
            )
            found = found.join(near, on="row", how="anti", maintain_order="left")
        return found

    def learn(self, leaps: pl.DataFrame, day: int) -> None:
        """Remember the leaps of a day, in their order as long as there is room."""
        if leaps.is_empty():
            return
        self._learn_leapers(leaps, day)
        both = pl.concat(
            [leaps.select("network", "key"), leaps.select("key", network="from_network")],
            how="diagonal",
        )
        self._learn_exits(both.filter(pl.col("network").is_not_null()), day)

    def _learn_leapers(self, leaps: pl.DataFrame, day: int) -> None:
        seen = leaps.select("key").unique(maintain_order=True)
        grown = seen.join(self.leapers, on="key", how="left", maintain_order="left")
        grown = grown.filter(pl.col("day").is_null() | (pl.col("day") < day))
        room = self._leaper_cap - self.leapers.height
        new = pl.col("day").is_null()
        grown = grown.filter(~new | (new.cum_sum() <= room))
        if grown.height:
            learned = grown.select(
                "key", day=pl.lit(day, pl.Int64), days=pl.col("days").fill_null(0) + 1
            )
            rest = self.leapers.join(learned, on="key", how="anti")
            self.leapers = pl.concat([rest, learned.cast(LEAPER_SCHEMA)])

    def _learn_exits(self, seen: pl.DataFrame, day: int) -> None:
        same = ("network", "key")
        grown = seen.unique(maintain_order=True).join(
            self.exits, on=same, how="left", maintain_order="left"
        )
        grown = grown.filter(pl.col("day").is_null() | (pl.col("day") < day))
        room = self._exit_cap - self.exits.height
        new = pl.col("day").is_null()
        grown = grown.filter(~new | (new.cum_sum() <= room))
        if grown.height:
            learned = grown.select(
                *same, since=pl.col("since").fill_null(day), day=pl.lit(day, pl.Int64)
            )
            rest = self.exits.join(learned, on=same, how="anti")
            self.exits = pl.concat([rest, learned.cast(EXIT_SCHEMA)])
