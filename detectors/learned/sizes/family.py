"""One client against a route's own distribution: sizes of answers, numbers of objects."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from detectors.detector import Detector, active
from detectors.findings import Finding
from detectors.learned.family import Learning
from detectors.learned.sizes.entries import DETECTORS, OBJECTS, SIZES
from detectors.learned.sizes.settings import SizesSettings
from detectors.learned.sizes.sums import (
    LARGE,
    OBJECT,
    PANE_US,
    PANES_A_DAY,
    SAMPLE,
    SIZE,
    SUMS_SCHEMA,
    added,
    bucket_of,
    most_of,
    sums_of,
)
from detectors.learned.sizes.usual import HISTOGRAM_SCHEMA, ROUTE_CAP, Usual
from detectors.naming import shown
from detectors.overrides import RuleOverride
from ingest.times import moment

VERSION: Final = 1

#: So many clients that are odd on one route in one pane are no odd clients: the route changed.
CHANGED: Final = 5

#: Rows of open panes that are kept before they are summed up.
_LOOSE: Final = 50_000

_BY: Final = ["pane", "route", "client"]
_Row = dict[str, Any]


class Sizes:
    """Finds clients that get far more from a route than it usually gives.

    Panes of ten minutes are judged when they are over, by what was learned on whole days before.
    What was found does not teach, unless so many clients do the same that the route has changed.
    Pure: no clock, no I/O. Raises DetectorSettingsError.
    """

    name: Final = "sizes"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: SizesSettings | None = None,
        *,
        route_cap: int = ROUTE_CAP,
    ) -> None:
        self._settings = settings or SizesSettings()
        self._active = active(DETECTORS, overrides or {})
        least = {
            SIZE: max(1, self._settings.learning_answers // SAMPLE),
            OBJECT: self._settings.learning_callers,
        }
        self._usual = Usual(self._settings.learning_days, least, route_cap)
        self._open = pl.DataFrame(schema=SUMS_SCHEMA)
        self._loose = False
        self._about = pl.DataFrame({"version": [VERSION]})

    @property
    def evicted(self) -> int:
        """How many routes were forgotten, sizes and objects apart, because there were too many."""
        return self._usual.evicted

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The detectors that are switched on."""
        return self._active

    @property
    def limits(self) -> pl.DataFrame:
        """What is usual of the routes that are known well (`usual.LIMIT_SCHEMA`)."""
        return self._usual.limits

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Count sizes, large answers and objects: SUMS_SCHEMA."""
        return sums_of(events)

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Add sums, and judge the panes that are over."""
        if sums.height:
            self._open = pl.concat([self._open, _copied(sums)])
            self._loose = True
            if self._open.height > _LOOSE:
                self._open, self._loose = added(self._open), False
        return [] if watermark is None else self._close(watermark // PANE_US)

    def finish(self) -> list[Finding]:
        """Judge all panes: the input has ended."""
        return self._close(None)

    def status(self) -> list[Learning]:
        """Say of how many days each route's sizes and objects are known."""
        names = {SIZE: SIZES.name, OBJECT: OBJECTS.name}
        return [
            Learning(
                names[kind],
                "route",
                route,
                moment(since * PANES_A_DAY * PANE_US),
                min(days, self._settings.learning_days),
                self._settings.learning_days,
                1,
            )
            for kind, route, since, days in self._usual.routes.rows()
            if names[kind] in self._active
        ]

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state by part."""
        if self._loose:
            self._open, self._loose = added(self._open), False
        return {"about": self._about, "open": self._open, **self._usual.parts()}

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state of this version."""
        if "about" not in parts or not self._about.equals(parts["about"]):
            return list(self._active)
        self._open, self._loose = parts["open"].select(SUMS_SCHEMA.names()), False
        self._usual.restore(parts)
        return []

    def _close(self, limit: int | None) -> list[Finding]:
        over = pl.lit(value=True) if limit is None else pl.col("pane") < limit
        due = added(self._open.filter(over))
        if due.is_empty():
            return []
        self._open = self._open.filter(~over)
        found: list[Finding] = []
        days = due.with_columns(day=pl.col("pane") // PANES_A_DAY)
        for rows in days.partition_by("day", maintain_order=True):
            self._usual.begin(int(rows["day"][0]))
            found += self._of_sizes(rows)
            found += self._of_objects(rows)
        return found

    def _of_sizes(self, rows: pl.DataFrame) -> list[Finding]:
        """Judge large answers, and learn the sizes of those that were not odd."""
        limits = self._usual.limits.filter(pl.col("kind") == SIZE)
        large = rows.filter(pl.col("kind") == LARGE).join(limits.drop("kind"), on="route")
        edges = pl.Series("edge", bucket_of(large["limit"].to_numpy()), pl.Int16)
        above = large.with_columns(edges).filter(pl.col("bucket") > pl.col("edge"))
        odd = above.group_by(_BY).agg(
            value=pl.col("count").sum(),
            largest=pl.col("bucket").max(),
            most=pl.col("most").max(),
            first=pl.col("first").min(),
            last=pl.col("last").max(),
        )
        detector = self._active.get(SIZES.name)
        odd = _alone(odd.filter(pl.col("value") >= (detector or SIZES).threshold))
        sizes = rows.filter(pl.col("kind") == SIZE)
        places = odd.select("pane", "route").unique()
        # whose answers a size was is not known of all: such a pane teaches nothing of its route
        self._usual.learn(sizes.join(places, on=["pane", "route"], how="anti"))
        return [] if detector is None else list(_told(detector, odd, _of_size))

    def _of_objects(self, rows: pl.DataFrame) -> list[Finding]:
        """Judge how many objects each caller got, and learn it of those who were not odd."""
        callers = (
            rows.filter(pl.col("kind") == OBJECT)
            .group_by(_BY)
            .agg(
                value=pl.len().cast(pl.Int64),
                first=pl.col("first").min(),
                last=pl.col("last").max(),
            )
        )
        limits = self._usual.limits.filter(pl.col("kind") == OBJECT).drop("kind")
        detector = self._active.get(OBJECTS.name)
        least = pl.max_horizontal("limit", pl.lit((detector or OBJECTS).threshold))
        odd = _alone(callers.join(limits, on="route").filter(pl.col("value") >= least))
        learned = callers.join(odd, on=_BY, how="anti")
        buckets = pl.Series("bucket", bucket_of(learned["value"].to_numpy()), pl.Int16)
        counts = (
            learned.with_columns(buckets, kind=pl.lit(OBJECT, pl.Int8))
            .group_by("kind", "route", "bucket")
            .agg(count=pl.len().cast(pl.Int64))
        )
        self._usual.learn(counts.select(HISTOGRAM_SCHEMA.names()))
        if detector is None:
            return []
        return list(_told(detector, odd.with_columns(threshold=least), _of_count))


def _alone(odd: pl.DataFrame) -> pl.DataFrame:
    """Return those that few share: where many do the same, the route has changed."""
    return odd.filter(pl.col("client").n_unique().over("pane", "route") < CHANGED)


def _told(detector: Detector, odd: pl.DataFrame, note: Any) -> Iterator[Finding]:  # noqa: ANN401
    """Tell each client once a pane, of the route where it was oddest."""
    worst = odd.sort(["pane", "client", "value", "route"], descending=[False, False, True, False])
    for row in worst.unique(["pane", "client"], keep="first", maintain_order=True).iter_rows(
        named=True
    ):
        if not detector.excepts(row["client"], row["last"]):
            yield _finding(detector, row, note(row))


def _of_size(row: _Row) -> str:
    return (
        f"{row['route']}: up to {most_of(row['largest']):,} bytes, where 999 of 1,000 answers in"
        f" the days before had at most {row['most']:,}."
    )


def _of_count(row: _Row) -> str:
    return (
        f"{row['route']}: 999 of 1,000 callers in the days before got at most {row['most']:,}"
        " in ten minutes."
    )


def _finding(detector: Detector, row: _Row, note: str) -> Finding:
    return Finding(
        detector=detector.name,
        entity_type="client",
        entity=row["client"],
        first=moment(row["first"]),
        last=moment(row["last"]),
        value=row["value"],
        threshold=row.get("threshold", detector.threshold),
        unit=detector.unit,
        window=detector.window,
        level=detector.level,
        mode=detector.mode,
        tags=detector.tags,
        reached=moment((row["pane"] + 1) * PANE_US),
        note=note,
    )


def _copied(sums: pl.DataFrame) -> pl.DataFrame:
    """Return sums whose texts hold on to no batch, as findings may tell them."""
    routes = sums["route"].unique()
    told = dict(zip(routes.to_list(), shown(routes).to_list(), strict=True))
    return sums.with_columns(
        pl.Series("route", [told[route] for route in sums["route"].to_list()], pl.String),
        pl.Series("client", sums["client"].to_list(), pl.String),
    )
