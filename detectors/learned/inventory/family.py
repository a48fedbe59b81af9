"""The inventory as a family of detectors: what answers, and should it?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl

from detectors.detector import Detector, active
from detectors.findings import EntityType, Finding
from detectors.learned.family import Learning
from detectors.learned.inventory.book import ENDPOINT_CAP, Book, EndpointDay
from detectors.learned.inventory.declared import Declarations, Standing, beside
from detectors.learned.inventory.entries import (
    DETECTORS,
    NEW_ENDPOINT,
    PLAIN_HTTP,
    SHADOW,
    UNDECLARED_METHOD,
    ZOMBIE,
)
from detectors.learned.inventory.samples import Samples
from detectors.learned.inventory.services import SERVICE_CAP, Services
from detectors.learned.inventory.settings import InventorySettings
from detectors.learned.inventory.state import keyed
from detectors.learned.inventory.sums import PANE_US, PANES_A_DAY, sums_of
from detectors.learned.inventory.telling import Told
from detectors.learned.inventory.varying import Neighbours
from detectors.overrides import RuleOverride
from ingest.route_documents import RouteDocument
from ingest.times import moment

VERSION: Final = 1

#: The detector of what the documents do not want.
_UNWANTED: Final[Mapping[Standing, str]] = {
    "undeclared": SHADOW.name,
    "deprecated": ZOMBIE.name,
    "undeclared method": UNDECLARED_METHOD.name,
}

_NOTES: Final = {
    SHADOW.name: "No OpenAPI document declares this path.",
    ZOMBIE.name: "The OpenAPI document calls this operation deprecated.",
    UNDECLARED_METHOD.name: "The OpenAPI document declares the path, but not this method.",
}

#: Methods that come with others.
_IMPLIED: Final = ("HEAD", "OPTIONS")

_Row = dict[str, Any]


class Inventory:
    """Keeps the endpoints of every service, and finds those that should not be, or are new.

    Panes of ten minutes are judged when they are over. With documents that speak of a service,
    what they do not declare is found; without, what is new after days. `endpoints` returns what
    is to be stored. Pure: no clock, no I/O. Raises DetectorSettingsError.
    """

    name: Final = "inventory"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: InventorySettings | None = None,
        *,
        documents: Sequence[RouteDocument] = (),
        endpoint_cap: int = ENDPOINT_CAP,
        service_cap: int = SERVICE_CAP,
    ) -> None:
        self._settings = settings or InventorySettings()
        self._active = active(DETECTORS, overrides or {})
        self._declared = Declarations(documents)
        self._book = Book(endpoint_cap)
        self._services = Services(service_cap)
        self._told = Told(self._settings.tell_again_days * PANES_A_DAY, PANES_A_DAY)
        self._samples = Samples()
        self._standings: dict[int, Standing | None] = {}
        self._about = pl.DataFrame({"version": [VERSION]})
        self._watermark: int | None = None

    @property
    def evicted(self) -> int:
        """How many endpoints and services were forgotten because there were too many."""
        return self._book.evicted + self._services.forgotten

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The detectors that are switched on."""
        return self._active

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Count requests per route, role and pane: SUMS_SCHEMA."""
        return sums_of(events)

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Count, and judge the panes that are over."""
        if sums.height:
            rows = keyed(sums)
            self._stand(self._book.add(rows))
            self._sample(rows)
        if watermark is None:
            return []
        self._watermark = max(watermark, self._watermark or watermark)
        return self._close(watermark // PANE_US)

    def finish(self) -> list[Finding]:
        """Judge all panes: the input has ended."""
        return self._close(None)

    def endpoints(self) -> list[EndpointDay]:
        """Return what changed of endpoints since the last call, to be stored with the state.

        To be called just before `snapshot`: both belong to one transaction. Days that are over
        are forgotten with it.
        """
        return self._book.changed(self._watermark, self._standings)

    def status(self) -> list[Learning]:
        """Say of how many days each service is known, and how many endpoints it has."""
        counts = self._book.endpoints.group_by("service").agg(pl.col("route").n_unique())
        known = dict(counts.rows())
        return [
            Learning(
                NEW_ENDPOINT.name,
                "all" if name is None else "service",
                name or "all",
                moment(service.since * PANE_US),
                min(service.days, self._settings.learning_days),
                self._settings.learning_days,
                known.get(name, 0),
            )
            for name, service in self._services
        ]

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state by part."""
        return {
            "about": self._about,
            **self._book.parts(),
            **self._told.parts(),
            "services": self._services.part(),
            "samples": self._samples.part(),
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state of this version."""
        if "about" not in parts or not self._about.equals(parts["about"]):
            return list(self._active)
        self._book.restore(parts)
        self._told.restore(parts)
        self._services.restore(parts)
        self._samples.restore(parts)
        self._standings = {}
        self._stand(self._book.endpoints)
        self._stand(parts["names"])
        return []

    def _stand(self, named: pl.DataFrame) -> None:
        """Look up in the documents what was not named before."""
        if not self._declared or named.is_empty():
            return
        found = self._declared.standings(named.select("service", "method", "template").rows())
        self._standings.update(zip(named["key"].to_list(), found, strict=True))

    def _sample(self, rows: pl.DataFrame) -> None:
        """Keep requests to endpoints that may be told."""
        answered = rows.filter(pl.col("answered") > 0)
        book, key = self._book.endpoints, pl.col("key")
        wanted = key.is_in(self._suspicious())
        if self._services.any_ready(self._settings.learning_days):
            wanted |= ~key.is_in(book.filter(~pl.col("fresh"))["key"].to_list())
        self._samples.keep(answered.filter(wanted))

    def _suspicious(self) -> list[int]:
        return [key for key, standing in self._standings.items() if standing in _UNWANTED]

    def _close(self, limit: int | None) -> list[Finding]:
        found: list[Finding] = []
        for day, rows in self._book.close(limit, self._services):
            answered = rows.filter(pl.col("answered") > 0)
            fresh = self._fresh(answered, day)
            self._book.settle(fresh)
            self._services.seen(answered, day)
            self._cover(answered)
            told = pl.col("key").replace_strict(
                list(fresh), list(fresh.values()), default=None, return_dtype=pl.Boolean
            )
            answered = answered.with_columns(fresh=pl.coalesce("fresh", told))
            found += self._of_endpoints(answered)
            found += self._in_plain(answered)
            self._told.forget(day * PANES_A_DAY)
        self._forget(limit)
        return found

    def _forget(self, limit: int | None) -> None:
        if len(self._standings) > 2 * self._book.height:
            keys = self._book.keys()
            self._standings = {k: s for k, s in self._standings.items() if k in keys}
        if limit is not None:
            self._samples.forget(limit)
            self._book.forget_untaken(limit // PANES_A_DAY)

    def _fresh(self, rows: pl.DataFrame, day: int) -> dict[int, bool]:
        """Say of the endpoints that are new in these rows whether their service is known."""
        new = rows.filter(pl.col("fresh").is_null()).unique("key", keep="first")
        if new.is_empty():
            return {}
        neighbours: Neighbours | None = None
        found = {}
        columns = ("key", "service", "method", "template", "since")
        for key, service, method, template, since in new.select(columns).rows():
            found[key] = (
                self._services.ready(service, day, self._settings.learning_days)
                and method not in _IMPLIED
                and not beside(template)
            )
            if found[key]:
                neighbours = neighbours or Neighbours(self._book.endpoints)
                found[key] = not neighbours.vary(service, method, template, since)
        return found

    def _cover(self, rows: pl.DataFrame) -> None:
        """Note of which services the documents speak: something that they declare answered."""
        if self._declared:
            spoken = [k for k, s in self._standings.items() if s not in {None, "undeclared"}]
            self._services.cover(rows.filter(pl.col("key").is_in(spoken)))

    def _of_endpoints(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """Judge each route once a pane, as it was seen where clients arrive if it was."""
        young = pl.col("fresh") & (pl.col("pane") - pl.col("since") < PANES_A_DAY)
        some = rows.filter(pl.col("key").is_in(self._suspicious()) | young)
        once = some.sort("pane", "role").unique(["pane", "route"], keep="first")
        for row in once.sort("pane", "answered_first", "route").iter_rows(named=True):
            detector = self._active.get(self._detector_of(row) or "")
            if detector is not None:
                yield from self._told_of(row, detector)

    def _detector_of(self, row: _Row) -> str | None:
        standing = self._standings.get(row["key"])
        if standing is not None and self._speak_of(row["service"], row["pane"]):
            return _UNWANTED.get(standing)
        return NEW_ENDPOINT.name if row["fresh"] else None

    def _speak_of(self, service: str | None, pane: int) -> bool:
        """Whether the documents speak of a service: by its name, or something of them answers."""
        if self._declared.named(service):
            return True
        known = self._services.get(service)
        return known is not None and known.covered is not None and known.covered <= pane

    def _told_of(self, row: _Row, detector: Detector) -> Iterator[Finding]:
        entity = row["route"]
        if row["answered"] < detector.threshold or detector.excepts(entity, row["answered_last"]):
            return
        if self._told.claim(detector.name, entity, row["service"], row["pane"]):
            note = _NOTES.get(detector.name) or self._how_well_known(row)
            evidence = self._samples.of(row["key"], row["pane"])
            yield replace(
                _finding(detector, "route", entity, row, row["answered"]),
                note=note,
                evidence=evidence,
            )

    def _how_well_known(self, row: _Row) -> str:
        service = self._services.get(row["service"])
        days = 0 if service is None else service.days_before(row["pane"] // PANES_A_DAY)
        return f"Its service had answered on {days:,} days before, and never here."

    def _in_plain(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """Judge the services that answered without TLS, apart from what is no endpoint."""
        detector = self._active.get(PLAIN_HTTP.name)
        clear = rows.filter(pl.col("answered_over_http") > 0)
        if detector is None or clear.is_empty():
            return
        apart = [t for t in clear["template"].unique().to_list() if beside(t) and t != "/"]
        sums = (
            clear.filter(~pl.col("template").is_in(apart))
            .group_by("pane", "service")
            .agg(
                pl.col("answered_over_http").sum(),
                pl.col("answered_first").min(),
                pl.col("answered_last").max(),
            )
            .filter(pl.col("answered_over_http") >= detector.threshold)
            .sort("pane", "service")
        )
        secure = self._secure(rows)
        for row in sums.iter_rows(named=True):
            name = row["service"]
            entity = name or "all"
            if detector.excepts(entity, row["answered_last"]):
                continue
            if self._told.claim(detector.name, entity, name, row["pane"]):
                value = row["answered_over_http"]
                kind: EntityType = "all" if name is None else "service"
                note = _tls(secure.get((row["pane"], name), 0))
                yield replace(_finding(detector, kind, entity, row, value), note=note)

    @staticmethod
    def _secure(rows: pl.DataFrame) -> dict[tuple[int, str | None], int]:
        counts = rows.group_by("pane", "service").agg(pl.col("over_https").sum())
        return {(pane, name): count for pane, name, count in counts.rows()}


def _tls(secure: int) -> str:
    if secure:
        return f"{secure:,} of its requests came over TLS meanwhile."
    return "None came over TLS meanwhile: TLS may end before what writes this log."


def _finding(detector: Detector, kind: EntityType, entity: str, row: _Row, value: int) -> Finding:
    return Finding(
        detector=detector.name,
        entity_type=kind,
        entity=entity,
        first=moment(row["answered_first"]),
        last=moment(row["answered_last"]),
        value=value,
        threshold=detector.threshold,
        unit=detector.unit,
        window=detector.window,
        level=detector.level,
        mode=detector.mode,
        tags=detector.tags,
        reached=moment((row["pane"] + 1) * PANE_US),
    )
