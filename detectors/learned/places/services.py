"""Which countries services answer: blocked, unexpected, or new ones."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.learned.places.settings import CountrySettings
from detectors.learned.seen.memory import ENTITY_SCHEMA, VALUE_SCHEMA, Memory, Recall
from detectors.learned.slots import DAY_US

#: Requests within this time are counted together (us).
WINDOW_US: Final = 3_600_000_000

BLOCKED: Final = "blocked_country"
UNEXPECTED: Final = "unexpected_country"
NEW: Final = "service_new_country"

#: Requests a service must have had in the days it was learned.
_LEARNING_REQUESTS: Final = 100

#: Countries that were new to a service within the last day: since which pane.
FRESH_SCHEMA: Final = pl.Schema({"key": pl.UInt64(), "country": pl.String(), "since": pl.Int64()})

#: Requests of the last hour from countries that a detector watches. `apart` is the country where a
#: detector counts each by itself.
COUNT_SCHEMA: Final = pl.Schema(
    {
        "detector": pl.String(),
        "key": pl.UInt64(),
        "apart": pl.String(),
        "pane": pl.Int64(),
        "country": pl.String(),
        "requests": pl.Int64(),
    }
)
_GROUP: Final = ("detector", "key", "apart")


def watched(settings: CountrySettings) -> pl.Expr:
    """Return whether the settings say something against a country."""
    return _blocked(settings) | _unexpected(settings)


def _blocked(settings: CountrySettings) -> pl.Expr:
    return pl.col("country").is_in(sorted(settings.blocked))


def _unexpected(settings: CountrySettings) -> pl.Expr:
    if not settings.expected:
        return pl.lit(value=False)
    return ~pl.col("country").is_in(sorted(settings.expected)) & ~_blocked(settings)


class Services:
    """What countries services have answered, and are not to answer."""

    def __init__(self, settings: CountrySettings, service_cap: int) -> None:
        self._settings = settings
        recall = Recall(
            settings.learning_days,
            _LEARNING_REQUESTS,
            settings.memory_days,
            settings.memory_days,
            settings.usual,
        )
        self.memory = Memory(
            recall, ("country",), entity_cap=service_cap, value_cap=settings.usual * service_cap
        )
        self.fresh = pl.DataFrame(schema=FRESH_SCHEMA)
        self.counts = pl.DataFrame(schema=COUNT_SCHEMA)

    def take(self, seen: pl.DataFrame, limits: Mapping[str, int]) -> pl.DataFrame:
        """Score and then learn answers (ARRIVAL_SCHEMA) of one day, in order of panes.

        `limits` are requests within the hour by detector. Returns violating panes: the columns of
        _GROUP, `pane` and `value`, in order of panes.
        """
        news = self.memory.take(seen)
        since = news.select("key", country="value", since="pane")
        self.fresh = pl.concat([self.fresh, since]) if since.height else self.fresh
        rows = self.flagged(seen).filter(pl.col("detector").is_in(list(limits)))
        if rows.is_empty():
            return pl.DataFrame(schema={**COUNT_SCHEMA, "value": pl.Int64()}).drop(
                "country", "requests"
            )
        counted = rows.group_by(*_GROUP, "pane", "country").agg(pl.col("requests").sum())
        self.counts = pl.concat([self.counts, counted.select(COUNT_SCHEMA.names())])
        limit = pl.col("detector").replace_strict(dict(limits), return_dtype=pl.Int64)
        sums = self.counts.group_by(*_GROUP, "pane").agg(pl.col("requests").sum())
        return (
            sums.sort(*_GROUP, "pane")
            .rolling("pane", period=f"{WINDOW_US}i", group_by=_GROUP)
            .agg(value=pl.col("requests").sum())
            .filter((pl.col("value") >= limit) & (pl.col("pane") >= seen["pane"][0]))
            .sort("pane", *_GROUP)
        )

    def flagged(self, seen: pl.DataFrame) -> pl.DataFrame:
        """Return the answers that detectors count, with `detector` and `apart`."""
        none = pl.lit("")
        new = seen.join(self.fresh, on=("key", "country"), how="inner", maintain_order="left")
        young = pl.col("pane").is_between("since", pl.col("since") + DAY_US, closed="left")
        return pl.concat(
            [
                seen.filter(_blocked(self._settings)).with_columns(
                    detector=pl.lit(BLOCKED), apart=none
                ),
                seen.filter(_unexpected(self._settings)).with_columns(
                    detector=pl.lit(UNEXPECTED), apart=none
                ),
                new.filter(young)
                .drop("since")
                .with_columns(detector=pl.lit(NEW), apart=pl.col("country")),
            ]
        )

    def countries(self, detector: str, key: int, apart: str, pane: int) -> list[tuple[str, int]]:
        """Return how many requests came from which countries in the hour up to a pane."""
        mine = (pl.col("detector") == detector) & (pl.col("key") == key)
        hour = pl.col("pane").is_between(pane - WINDOW_US, pane, closed="right")
        counted = (
            self.counts.filter(mine & hour & (pl.col("apart") == apart))
            .group_by("country")
            .agg(pl.col("requests").sum())
            .sort(["requests", "country"], descending=[True, False])
        )
        return [(country, requests) for country, requests in counted.iter_rows()]

    def forget(self, newest: int) -> None:
        """Let go of what is too old at a pane (us)."""
        if self.counts["pane"].le(newest - WINDOW_US).any():
            self.counts = self.counts.filter(pl.col("pane") > newest - WINDOW_US)
        if self.fresh["since"].le(newest - DAY_US).any():
            self.fresh = self.fresh.filter(pl.col("since") > newest - DAY_US)

    def parts(self) -> dict[str, pl.DataFrame]:
        """Return the state by part."""
        return {
            "services": self.memory.entities,
            "service_countries": self.memory.values,
            "fresh": self.fresh,
            "counts": self.counts,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned."""
        self.memory.entities, self.memory.values = parts["services"], parts["service_countries"]
        self.fresh, self.counts = parts["fresh"], parts["counts"]


SCHEMAS: Final = {
    "services": ENTITY_SCHEMA,
    "service_countries": VALUE_SCHEMA,
    "fresh": FRESH_SCHEMA,
    "counts": COUNT_SCHEMA,
}
