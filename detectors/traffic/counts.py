"""The light half: slots that are open, and what is to be stored of them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from detectors.naming import shown
from detectors.traffic.rows import EVERY, OTHERS, TrafficSlot, TrafficTop
from detectors.traffic.sums import (
    ANSWERS,
    BYTES,
    CLIENT,
    COUNTRIES,
    DURATIONS,
    HOUR_US,
    MINUTE_US,
    REFUSED,
    ROUTES,
    SERVER,
    Ints,
    TrafficSums,
    middle,
    sums_of,
)

#: The state: one row for what agrees in all but `count`. `step` is the length of a slot (us), whose
#: `start` is in us since 1970; `name` is a route or country, else empty.
OPEN_SCHEMA: Final = pl.Schema(
    {
        "service": pl.String(),  # masked, as findings call it; null: the log names none
        "edge": pl.Boolean(),
        "step": pl.Int64(),
        "start": pl.Int64(),
        "measure": pl.Int64(),
        "name": pl.String(),
        "bucket": pl.Int64(),
        "count": pl.Int64(),
    }
)

#: Services that are told apart at once; the rest, those with the fewest requests, are one.
SERVICE_CAP: Final = 200

#: Routes and countries that are counted in an hour, of all services; the rest are one.
NAME_CAP: Final = 5_000

#: Names that are stored of each service and hour.
TOP: Final = 30

#: Rows that wait to be taken. Beyond, the oldest are forgotten: nobody takes them.
WAITING_CAP: Final = 100_000

#: Names of which is remembered how they are masked.
_REMEMBERED: Final = 20_000

_NAMED: Final = {ROUTES: "route", COUNTRIES: "country"}
_KEYS: Final = [name for name in OPEN_SCHEMA if name != "count"]
_SLOT: Final = ["service", "edge", "step", "start"]
_PLACE: Final = ["service", "edge", "measure", "start"]


class Traffic:
    """Counts requests by slots of event time, of each service and role, and of all of them.

    What is counted depends on the events alone, not on how the stream was cut, while there are no
    more services and names than the caps; beyond them, which are kept apart may.
    """

    name: Final = "traffic"

    def __init__(self, *, service_cap: int = SERVICE_CAP, name_cap: int = NAME_CAP) -> None:
        self._service_cap = service_cap
        self._name_cap = name_cap
        self._open = pl.DataFrame(schema=OPEN_SCHEMA)
        self._new: list[TrafficSums] = []
        self._masked: dict[str, str] = {}
        self._closed: int | None = None
        self._fresh = False
        self._changed = False
        self._waiting: list[TrafficSlot | TrafficTop] = []

    @property
    def waiting(self) -> int:
        """How many rows of slots that are over wait to be taken."""
        return len(self._waiting)

    def aggregate(self, events: pl.DataFrame) -> list[TrafficSums]:
        """Do the heavy half of a batch (BATCH_SCHEMA). Touches no state."""
        return sums_of(events)

    def add(self, sums: list[TrafficSums], watermark: int | None) -> None:
        """Add sums; close the slots that end by the watermark (us)."""
        self._new += sums
        self._fresh = self._fresh or bool(sums)
        if watermark is None:
            return
        minute = watermark // MINUTE_US * MINUTE_US
        if self._closed is None or minute > self._closed:
            self._closed = minute
            self._close(minute)

    def finish(self) -> None:
        """Close all slots: the input has ended."""
        self._close(None)

    def take(self) -> list[TrafficSlot | TrafficTop]:
        """Return what is to be stored: slots that are over since the last call, and open minutes.

        To be called just before `snapshot`: both belong to one transaction. Open hours are told
        once a minute, up to the newest minute that is over.
        """
        taken, self._waiting = self._waiting, []
        changed, fresh = self._changed, self._fresh
        self._changed = self._fresh = False
        self._fold()
        if fresh:
            taken += _slots(self._open.filter(pl.col("step") == MINUTE_US))
        if changed:
            hours = self._open.filter(pl.col("step") == HOUR_US)
            taken += [*_slots(hours), *_tops(hours)]
        return taken

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the open slots; what has not changed is the same object as before."""
        self._fold()
        return {"open": self._open}

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `snapshot` returned; anything else is passed over: it counts anew."""
        found = parts.get("open")
        self._open = (
            found
            if found is not None and found.schema == OPEN_SCHEMA
            else pl.DataFrame(schema=OPEN_SCHEMA)
        )
        self._new, self._waiting, self._closed = [], [], None
        self._fresh = self._changed = True

    def _close(self, until: int | None) -> None:
        self._fold()
        over = pl.lit(value=True) if until is None else pl.col("start") + pl.col("step") <= until
        minutes = pl.col("step") == MINUTE_US
        due = self._open.filter(over & minutes)
        self._wait(_slots(due))
        hour = pl.col("start") // HOUR_US * HOUR_US
        folded = due.with_columns(step=pl.lit(HOUR_US, pl.Int64), start=hour)
        rest = self._open.filter(~(over & minutes))
        self._open = _added([rest, folded]) if due.height else rest
        hours = self._open.filter(over)
        if hours.height:
            self._wait([*_slots(hours), *_tops(hours)])
            self._open = self._open.filter(~over)
        self._changed = self._changed or due.height > 0

    def _wait(self, rows: list[TrafficSlot | TrafficTop]) -> None:
        self._waiting = [*self._waiting, *rows][-WAITING_CAP:]

    def _fold(self) -> None:
        if not self._new:
            return
        self._open = self._bounded(_added([self._open, self._frame()]))
        self._new = []

    def _frame(self) -> pl.DataFrame:
        """Return the new sums as one frame (OPEN_SCHEMA), names masked."""
        places: dict[tuple[str | None, str], int] = {}
        parts: list[Ints] = []
        for each in self._new:
            at = np.array([places.setdefault(name, len(places)) for name in each.names])
            rows = each.rows.copy()
            rows[:, 1] = at[rows[:, 1]]
            parts.append(rows)
        columns = ("measure", "place", "start", "bucket", "edge", "count")
        every = pl.DataFrame(np.concatenate(parts), schema=columns)
        summed = every.group_by(columns[:-1]).agg(pl.col("count").sum())
        known = self._shown({name for names in places for name in names if name})
        services = pl.Series([known.get(name or "") for name, _ in places], dtype=pl.String)
        names = pl.Series([known.get(name, "") for _, name in places], dtype=pl.String)
        hourly = pl.col("measure").is_in(list(_NAMED))
        return summed.select(
            services.gather(summed["place"]).alias("service"),
            pl.col("edge") == 1,
            pl.when(hourly).then(HOUR_US).otherwise(MINUTE_US).cast(pl.Int64).alias("step"),
            "start",
            "measure",
            names.gather(summed["place"]).alias("name"),
            "bucket",
            "count",
        )

    def _shown(self, names: set[str]) -> Mapping[str, str]:
        """Return names as findings call them; those of the last time are not masked again."""
        new = sorted(names - self._masked.keys())
        if len(self._masked) > _REMEMBERED:
            new, self._masked = sorted(names), {}
        if new:
            masked = shown(pl.Series(new, dtype=pl.String)).to_list()
            self._masked |= dict(zip(new, masked, strict=True))
        return self._masked

    def _bounded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Put services and names beyond the caps together."""
        services = rows.filter(pl.col("measure") == ANSWERS)
        names = rows.filter(pl.col("measure").is_in(list(_NAMED)))
        bounded = rows
        for column, known, cap in (
            ("service", services, self._service_cap),
            ("name", names, self._name_cap),
        ):
            if known[column].n_unique() <= cap:
                continue
            ranked = known.group_by(column).agg(pl.col("count").sum()).drop_nulls()
            kept = ranked.filter(pl.col(column) != OTHERS).sort(
                "count", column, descending=[True, False]
            )
            stay = pl.col(column).is_in([*kept[column].head(cap), ""]) | pl.col(column).is_null()
            bounded = bounded.with_columns(
                pl.when(stay).then(column).otherwise(pl.lit(OTHERS)).alias(column)
            )
        return bounded if bounded is rows else _added([bounded])


def _added(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of OPEN_SCHEMA as one, each row once."""
    every = pl.concat(frames).group_by(_KEYS).agg(pl.col("count").sum())
    return every.select(OPEN_SCHEMA.names())


def _together(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with those of EVERY service added; without those that name no service."""
    every = rows.with_columns(service=pl.lit(EVERY, pl.String))
    keys = [name for name in every.columns if name != "count"]
    summed = every.group_by(keys).agg(pl.col("count").sum()).select(rows.columns)
    return pl.concat([rows.filter(pl.col("service").is_not_null()), summed])


def _role() -> pl.Expr:
    return pl.when("edge").then(pl.lit("edge")).otherwise(pl.lit("internal")).alias("role")


def _slots(rows: pl.DataFrame) -> list[TrafficSlot | TrafficTop]:
    rows = rows.filter(pl.col("measure") <= DURATIONS)
    if rows.is_empty():
        return []
    every = _together(rows)

    def counted(measure: int, *buckets: int) -> pl.Expr:
        which = pl.col("measure") == measure
        return (
            pl.col("count")
            .filter(which & pl.col("bucket").is_in(buckets) if buckets else which)
            .sum()
        )

    found = every.group_by(_SLOT).agg(
        counted(ANSWERS).alias("requests"),
        counted(ANSWERS, CLIENT).alias("client_errors"),
        counted(ANSWERS, REFUSED).alias("refused"),
        counted(ANSWERS, SERVER).alias("server_errors"),
        counted(BYTES).alias("response_bytes"),
    )
    found = found.join(_lengths(every), on=_SLOT, how="left").sort("start", "step", *_SLOT[:2])
    told = found.select("service", _role(), pl.col("step") // 1_000_000, *TrafficSlot._fields[3:])
    return [TrafficSlot._make(row) for row in told.iter_rows()]


def _lengths(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the median and the 95th percentile (nearest rank) of durations, by slot."""
    ordered = rows.filter(pl.col("measure") == DURATIONS).sort(*_SLOT, "bucket")
    reached = pl.col("count").cum_sum()
    number = pl.col("count").sum()

    def at(percent: int) -> pl.Expr:
        return middle(pl.col("bucket").filter(reached * 100 >= number * percent).first())

    return ordered.group_by(_SLOT, maintain_order=True).agg(
        at(50).alias("p50_us"), at(95).alias("p95_us")
    )


def _tops(rows: pl.DataFrame) -> list[TrafficSlot | TrafficTop]:
    named = rows.filter(pl.col("measure").is_in(list(_NAMED)))
    if named.is_empty():
        return []
    entries = (
        _together(named)
        .group_by(*_PLACE, "name")
        .agg(
            pl.col("count").sum().alias("requests"),
            pl.col("count").filter(pl.col("bucket") == 1).sum().alias("errors"),
        )
        .sort(*_PLACE, "requests", "name", descending=[False] * 4 + [True, False])
    )
    found = (
        entries.group_by(_PLACE, maintain_order=True)
        .agg(
            pl.col("requests").sum().alias("total"),
            pl.col("name", "requests", "errors").head(TOP),
        )
        .select("service", _role(), "measure", "start", "total", "name", "requests", "errors")
    )
    return [
        TrafficTop(
            service, role, _NAMED[measure], start, total,
            tuple(zip(names, requests, errors, strict=True)),
        )
        for service, role, measure, start, total, names, requests, errors in found.iter_rows()
    ]  # fmt: skip
