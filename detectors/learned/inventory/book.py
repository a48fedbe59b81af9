"""The endpoints of every service: what was counted of them, and since when they are known."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import polars as pl

from detectors.learned.inventory.declared import Standing
from detectors.learned.inventory.services import Services
from detectors.learned.inventory.state import (
    DAY_SCHEMA,
    ENDPOINT_SCHEMA,
    NAME_SCHEMA,
    OPEN_SCHEMA,
    added,
    by_day,
    named,
)
from detectors.learned.inventory.sums import DAY_US, PANES_A_DAY

#: Endpoints that are known at once. Beyond, those with the fewest requests are forgotten.
ENDPOINT_CAP: Final = 5_000

#: Rows of open panes that are kept before they are summed up.
_LOOSE: Final = 20_000

#: Days whose counts are kept while nobody takes them.
_DAYS_KEPT: Final = 40

_PARTS: Final = {
    "endpoints": ENDPOINT_SCHEMA,
    "days": DAY_SCHEMA,
    "open": OPEN_SCHEMA,
    "names": NAME_SCHEMA,
}


class EndpointDay(NamedTuple):
    """What one day (UTC, days since 1970) had of an endpoint so far; times in us since 1970.

    `role` is where it was seen, edge or internal; `anonymous` are answered requests without a user
    or an API key; `standing` is what OpenAPI documents say of it, None if they say nothing. Counts
    are absolute: those of a later call replace those of an earlier one. Texts are as findings may
    tell them.
    """

    service: str | None
    method: str
    template: str
    role: str
    day: int
    requests: int
    answered: int
    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    with_user: int
    with_api_key: int
    anonymous: int
    over_http: int
    over_https: int
    first: int
    last: int
    standing: Standing | None = None


class Book:
    """Counts requests to endpoints: routes that have been answered at least once.

    What is counted of an endpoint begins with the pane of its first answer, whatever the stream
    was cut into: paths that nobody serves are asked for without end, and are none.
    """

    def __init__(self, cap: int = ENDPOINT_CAP) -> None:
        self._cap = cap
        self.endpoints = pl.DataFrame(schema=ENDPOINT_SCHEMA)
        self._days = pl.DataFrame(schema=DAY_SCHEMA)
        self._open = pl.DataFrame(schema=OPEN_SCHEMA)
        self._names = pl.DataFrame(schema=NAME_SCHEMA)
        self._touched: set[int] = set()
        self._loose = False
        self.evicted = 0

    @property
    def height(self) -> int:
        """How many routes have a name."""
        return self.endpoints.height + self._names.height

    def keys(self) -> set[int]:
        """Return the keys of all that have a name."""
        return {*self.endpoints["key"].to_list(), *self._names["key"].to_list()}

    def add(self, sums: pl.DataFrame) -> pl.DataFrame:
        """Count sums with keys in their open panes; return those of routes not named before."""
        self._open = pl.concat([self._open, sums.select(OPEN_SCHEMA.names())])
        self._loose = True
        if self._open.height > _LOOSE:
            self._open, self._loose = added(self._open), False
        self._touched.update(sums["key"].to_list())
        unnamed = (
            sums.filter(pl.col("answered") > 0)
            .unique("key", keep="first", maintain_order=True)
            .join(self.endpoints, on="key", how="anti", maintain_order="left")
            .join(self._names, on="key", how="anti", maintain_order="left")
        )
        if unnamed.is_empty():
            return pl.DataFrame(schema=NAME_SCHEMA)
        names = named(unnamed)
        self._names = pl.concat([self._names, names])
        return names

    def close(self, limit: int | None, services: Services) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield a day and its rows of the panes before `limit` (None: of all), then learn them.

        Rows are sums of the closed panes of endpoints (OPEN_SCHEMA) with the columns of
        ENDPOINT_SCHEMA; `fresh` is null for those that are new in them: `settle` them. Where the
        caps are near, a day comes pane by pane, as what is forgotten depends on it.
        """
        over = pl.lit(value=True) if limit is None else pl.col("pane") < limit
        due = added(self._open.filter(over))
        if due.is_empty():
            return
        self._open = self._open.filter(~over)
        due = due.with_columns(day=pl.col("pane") // PANES_A_DAY)
        for day in due.partition_by("day", maintain_order=True):
            for rows in self._in_room(day, services):
                self._admit(rows)
                ours = rows.join(
                    self.endpoints.drop("requests", "last"), on="key", maintain_order="left"
                ).filter(pl.col("pane") >= pl.col("since"))
                yield int(rows["day"][0]), ours
                self._learn(ours)
                services.evicted(self._evict())
                services.forget()
        self._names = self._names.join(self._open, on="key", how="semi", maintain_order="left")

    def _in_room(self, rows: pl.DataFrame, services: Services) -> list[pl.DataFrame]:
        """Return the rows of a day together if nothing need be forgotten in it, else by pane."""
        answered = rows.filter(pl.col("answered") > 0).select("key").unique()
        new = answered.join(self.endpoints, on="key", how="anti")
        coming = new.join(self._names, on="key")["service"].n_unique()
        if self.endpoints.height + new.height <= self._cap and services.room >= coming:
            return [rows]
        return rows.partition_by("pane", maintain_order=True)

    def settle(self, fresh: Mapping[int, bool]) -> None:
        """Note for new endpoints, by key, whether they came to a service known for long."""
        told = pl.col("key").replace_strict(
            list(fresh), list(fresh.values()), default=None, return_dtype=pl.Boolean
        )
        self.endpoints = self.endpoints.with_columns(fresh=pl.coalesce(told, "fresh"))

    def _admit(self, rows: pl.DataFrame) -> None:
        """Take up the routes that were answered first in these rows."""
        new = (
            rows.filter(pl.col("answered") > 0)
            .join(self.endpoints, on="key", how="anti")
            .group_by("key")
            .agg(since=pl.col("pane").min())
            .join(self._names, on="key")
            .sort("since", "route", "role")
        )
        if new.is_empty():
            return
        admitted = new.with_columns(
            fresh=pl.lit(None, pl.Boolean),
            requests=pl.lit(0, pl.Int64),
            last=pl.lit(0, pl.Int64),
        )
        self.endpoints = pl.concat([self.endpoints, admitted.select(ENDPOINT_SCHEMA.names())])

    def _learn(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        sums = rows.group_by("key").agg(
            pl.col("requests").sum().alias("more"), pl.col("last").max().alias("latest")
        )
        self.endpoints = (
            self.endpoints.join(sums, on="key", how="left", maintain_order="left")
            .with_columns(
                requests=pl.col("requests") + pl.col("more").fill_null(0),
                last=pl.max_horizontal("last", "latest"),
            )
            .select(ENDPOINT_SCHEMA.names())
        )
        self._days = by_day(pl.concat([self._days, by_day(rows)]))

    def _evict(self) -> list[str | None]:
        """Forget what is beyond the cap; return the service of each endpoint that went."""
        beyond = self.endpoints.height - self._cap
        if beyond <= 0:
            return []
        self.evicted += beyond
        ranked = self.endpoints.sort("requests", "last", "route", "role")
        gone, kept = ranked.head(beyond), ranked.tail(self._cap)
        self.endpoints = self.endpoints.join(kept, on="key", how="semi", maintain_order="left")
        self._days = self._days.join(gone, on="key", how="anti", maintain_order="left")
        return gone["service"].to_list()

    def changed(
        self, watermark: int | None, standings: Mapping[int, Standing | None]
    ) -> list[EndpointDay]:
        """Return the days of endpoints that changed since the last call, open panes included.

        Days that ended before the watermark's (us since 1970) are forgotten with it.
        """
        pending = self._open.join(self._since(), on="key").filter(pl.col("pane") >= pl.col("since"))
        touched = pl.Series("key", sorted(self._touched), pl.UInt64).to_frame()
        rows = by_day(pl.concat([self._days, by_day(pending)])).join(touched, on="key", how="semi")
        names = pl.concat([self.endpoints.select(NAME_SCHEMA.names()), self._names]).unique("key")
        told = rows.join(names, on="key").sort("day", "route", "role")
        self._touched = set()
        if watermark is not None:
            self._forget(watermark // DAY_US)
        columns = EndpointDay._fields[:-1]
        return [
            EndpointDay._make((*row, standings.get(key)))
            for key, row in zip(told["key"], told.select(columns).iter_rows(), strict=True)
        ]

    def _since(self) -> pl.DataFrame:
        """Return since when each endpoint counts, those of open panes included."""
        new = (
            self._open.filter(pl.col("answered") > 0)
            .group_by("key")
            .agg(since=pl.col("pane").min())
        )
        both = pl.concat([self.endpoints.select("key", "since"), new])
        return both.group_by("key").agg(pl.col("since").min())

    def _forget(self, day: int) -> None:
        old = self._days["day"] < day
        if old.any():
            self._days = self._days.filter(~old)

    def forget_untaken(self, day: int) -> None:
        """Forget the counts of days so long ago that nobody will take them."""
        self._forget(day - _DAYS_KEPT)

    def parts(self) -> dict[str, pl.DataFrame]:
        """Return the state as frames."""
        if self._loose:
            self._open, self._loose = added(self._open), False
        return {
            "endpoints": self.endpoints,
            "days": self._days,
            "open": self._open,
            "names": self._names,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned; all of it counts as changed."""
        given = {name: parts[name].select(schema.names()) for name, schema in _PARTS.items()}
        self.endpoints, self._days = given["endpoints"], given["days"]
        self._open, self._names = given["open"], given["names"]
        self._touched = {*self._days["key"].to_list(), *self._open["key"].to_list()}
