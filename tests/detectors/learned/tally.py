"""A family for tests: it learns how many requests a day has, and finds days with more than ever."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from detectors.detector import Detector
from detectors.findings import Finding, Level
from detectors.learned.family import Learning
from ingest.times import moment

DAY_US: Final = 86_400_000_000

BUSIEST_DAY: Final = Detector(
    name="busiest_day",
    id="5c0f1f0a-5d0c-5c0e-9a55-000000000001",
    title="More requests than on any day",
    description="A day has more requests than each day before.",
    level=Level.LOW,
    tags=("attack.t1499", "owasp.api4"),
    falsepositives=("Growth",),
    unit="requests",
    threshold=1,
    window=timedelta(0),
    entity_type="all",
)


class Tally:
    """Counts requests by day; a day is judged when it is over."""

    name: Final = "tally"
    evicted: Final = 0

    def __init__(self) -> None:
        self.detectors: Mapping[str, Detector] = {BUSIEST_DAY.name: BUSIEST_DAY}
        self.days = pl.DataFrame(schema={"day": pl.Int64(), "events": pl.Int64()})
        self.most = 0

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        days = events.select((pl.col("effective_time").to_physical() // DAY_US).alias("day"))
        return days.group_by("day").agg(pl.len().cast(pl.Int64()).alias("events"))

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        together = pl.concat([self.days, sums]).group_by("day").agg(pl.col("events").sum())
        self.days = together.sort("day")
        return [] if watermark is None else self._close(watermark // DAY_US)

    def finish(self) -> list[Finding]:
        return self._close(2**40)

    def status(self) -> list[Learning]:
        return [Learning(BUSIEST_DAY.name, "all", "all traffic", None, self.days.height, 2, 1)]

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        return {"days": self.days, "most": pl.DataFrame({"most": [self.most]})}

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        if set(parts) != {"days", "most"}:
            return list(self.detectors)
        self.days, self.most = parts["days"], parts["most"].item()
        return []

    def _close(self, day: int) -> list[Finding]:
        found = []
        for number, events in self.days.filter(pl.col("day") < day).iter_rows():
            if 0 < self.most < events:
                found.append(_finding(number, events, self.most))
            self.most = max(self.most, events)
        self.days = self.days.filter(pl.col("day") >= day)
        return found


def _finding(day: int, events: int, most: int) -> Finding:
    return Finding(
        detector=BUSIEST_DAY.name,
        entity_type="all",
        entity="all traffic",
        first=moment(day * DAY_US),
        last=moment((day + 1) * DAY_US - 1),
        value=events,
        threshold=most,
        unit=BUSIEST_DAY.unit,
        window=BUSIEST_DAY.window,
        level=BUSIEST_DAY.level,
        tags=BUSIEST_DAY.tags,
        note=f"At most {most} before.",
    )
