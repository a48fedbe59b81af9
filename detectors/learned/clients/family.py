"""The client model as a family of detectors: who is unlike the others?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import polars as pl

from detectors.detector import Detector, active
from detectors.findings import Finding, Level
from detectors.learned.clients.features import PANES, judged
from detectors.learned.clients.model import ClientModel
from detectors.learned.clients.panes import CLIENT_CAP, Panes
from detectors.learned.clients.settings import ClientSettings
from detectors.learned.clients.sums import PANE_US, no_sums, sums_of
from detectors.learned.family import Learning
from detectors.overrides import RuleOverride
from ingest.times import moment

VERSION: Final = 1

#: The least threshold that people may set. A model's own limit is above it, as a rule.
LEAST_LIMIT: Final = 500

CLIENT_OUTLIER: Final = Detector(
    name="client_outlier",
    id="5f6d2f0b-0d5a-5b0e-8c4d-6b8a3d7c2e91",
    title="A client is unlike the others",
    description=(
        "What a client has done for hours is unlike what clients of the history do: it asks for far"
        " more, more evenly, of fewer kinds, or without a pause, as somebody does who copies a"
        " catalogue or repeats one step of a business flow at a person's pace."
    ),
    level=Level.MEDIUM,
    tags=("attack.collection", "attack.t1119", "owasp.api6"),
    falsepositives=(
        "A new machine of your own, or of a partner",
        "Somebody who buys, books or reads all day",
    ),
    unit="points of 1,000 from the client model",
    threshold=LEAST_LIMIT,
    window=timedelta(microseconds=PANES * PANE_US),
    entity_type="client",
)

DETECTORS: Final = (CLIENT_OUTLIER,)

_VERSION_PART: Final = "version"


@dataclass(frozen=True, slots=True)
class _Limits:
    """What is told: the model's own limit, or one that the settings raise or lower."""

    model: ClientModel
    detector: Detector

    @property
    def general(self) -> int:
        own = self.detector.threshold
        return self.model.about.limit if own == CLIENT_OUTLIER.threshold else own

    def of(self, key: int) -> int:
        return self.model.limit_of(key, self.general)


class ClientOutliers:
    """Finds clients whose last six hours are unlike those of most clients of a history.

    Without a model it has no detectors, and counts nothing. A half hour's clients are judged when
    it is over. Pure: no clock, no I/O. Raises DetectorSettingsError.
    """

    name: Final = "clients"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: ClientSettings | None = None,
        model: ClientModel | None = None,
        *,
        client_cap: int = CLIENT_CAP,
    ) -> None:
        del settings  # they are for training, and for finding the model
        chosen = active(DETECTORS, overrides or {})
        self._model = model
        self._detectors = chosen if model is not None else {}
        self._panes = Panes(client_cap)

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The detector, if it is switched on and there is a model."""
        return self._detectors

    @property
    def evicted(self) -> int:
        """Clients that were forgotten as a half hour had too many."""
        return self._panes.evicted

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the sums (SUMS_SCHEMA) of a batch."""
        return sums_of(events) if self._detectors else no_sums()

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Add sums, and judge the clients of the half hours that end by the watermark (us)."""
        self._panes.add(sums)
        return [] if watermark is None else self._closed(watermark)

    def finish(self) -> list[Finding]:
        """Judge the clients of all half hours that are left."""
        return self._closed(None)

    def status(self) -> list[Learning]:
        """Say from what the model has learned."""
        if self._model is None:
            return []
        about = self._model.about
        days = max(1, round(about.days))
        return [
            Learning(CLIENT_OUTLIER.name, "client", "all", about.since, days, days, about.clients)
        ]

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the sums of the window's half hours."""
        return {_VERSION_PART: self._stamp(), **self._panes.parts()}

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Go on from the sums of the window's half hours; another model may judge them."""
        rest = {name: frame for name, frame in parts.items() if name != _VERSION_PART}
        stamp = parts.get(_VERSION_PART)
        if stamp is not None and stamp.equals(self._stamp()) and self._panes.take(rest):
            return []
        return list(self._detectors)

    def _stamp(self) -> pl.DataFrame:
        return _STAMP

    def _closed(self, watermark: int | None) -> list[Finding]:
        found: list[Finding] = []
        for pane, rows in self._panes.close(watermark):
            found += self._told(pane, judged(rows))
        return found

    def _told(self, pane: int, rows: pl.DataFrame) -> list[Finding]:
        detector = self._detectors.get(CLIENT_OUTLIER.name)
        if detector is None or self._model is None or rows.is_empty():
            return []
        limits = _Limits(self._model, detector)
        scored = rows.with_columns(self._model.points(rows))
        odd = scored.filter(pl.col("points") >= limits.general)
        return [
            _finding(detector, self._model, pane, row, limits.of(row["key"]))
            for row in odd.iter_rows(named=True)
            if row["points"] >= limits.of(row["key"])
            and not detector.excepts(row["client"], row["last"])
        ]


_STAMP: Final = pl.DataFrame({"version": [VERSION]})


def _finding(
    detector: Detector, model: ClientModel, pane: int, row: dict[str, Any], limit: int
) -> Finding:
    return Finding(
        detector=detector.name,
        entity_type="client",
        entity=row["client"],
        first=moment(row["first"]),
        last=moment(row["last"]),
        value=row["points"],
        threshold=limit,
        unit=detector.unit,
        window=detector.window,
        level=detector.level,
        mode=detector.mode,
        tags=detector.tags,
        reached=moment((pane + 1) * PANE_US),
        note=model.note(row),
    )
