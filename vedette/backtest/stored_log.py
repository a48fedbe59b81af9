"""One log as it is kept: masked events, readings, and what was counted of it."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from detectors.aggregate import Complete
from detectors.counts import CLIENT_SCHEMA, RuleCounts
from detectors.evaluate import VIOLATION_SCHEMA
from detectors.findings import Finding
from detectors.gathering import Gathered
from ingest.events import BATCH_SCHEMA, READING_SCHEMA, Batch
from ingest.masking import mask_series
from ingest.normalised import MASKED
from ingest.times import moment
from vedette.backtest.finding_rows import finding_of, row_of
from vedette.backtest.private_files import private_file, private_folder, write_private

#: Changes with the form of what is kept.
VERSION: Final = 2

_ABOUT: Final = "about.json"
_READINGS: Final = "readings.parquet"


class BadEntryError(Exception):
    """An entry is not whole, or of another version: it is to be made anew."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a log: its lines, its span (us since 1970), and its batches.

    `altered` are the columns of which masking changed a value: what is counted of them has to be
    counted in the log itself. A batch is (events, watermark, since, until).
    """

    lines: int
    events: int
    first: int | None
    newest: int | None
    altered: frozenset[str]
    batches: tuple[tuple[int, int | None, int | None, int | None], ...] = field(repr=False)

    @property
    def days(self) -> float:
        """Days of event time from the first event to the newest."""
        if self.first is None or self.newest is None:
            return 0.0
        return (self.newest - self.first) / 86_400e6

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the first event and of the newest; None without events."""
        if self.first is None or self.newest is None:
            return None
        return moment(self.first), moment(self.newest)


class LogWriter:
    """Writes a log into a folder, batch by batch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = 0
        self._batches: list[tuple[int, int | None, int | None, int | None]] = []
        self._readings: list[pl.DataFrame] = []
        self._altered: set[str] = set()
        self._first: int | None = None
        self._newest: int | None = None

    def add(self, gathered: Gathered) -> None:
        """Write a batch, masked."""
        batch, complete = gathered.batch, gathered.complete
        if batch.events.height:
            times = batch.events["effective_time"].to_physical().to_numpy()
            first, newest = int(times.min()), int(times.max())
            self._first = first if self._first is None else min(first, self._first)
            self._newest = newest if self._newest is None else max(newest, self._newest)
        masked = self._masked(batch.events)
        _write(masked, self.folder / _events(len(self._batches)))
        span = (None, None) if complete is None else (complete.since, complete.until)
        self._batches.append((batch.events.height, batch.watermark, *span))
        self._readings.append(batch.readings)

    def about(self) -> About:
        """Return what is known of the log so far."""
        return About(
            lines=self.lines,
            events=sum(each[0] for each in self._batches),
            first=self._first,
            newest=self._newest,
            altered=frozenset(self._altered),
            batches=tuple(self._batches),
        )

    def finish(self) -> None:
        """Write what is known of the whole."""
        readings = [each for each in self._readings if each.height]
        frame = pl.concat(readings) if readings else pl.DataFrame(schema=READING_SCHEMA)
        _write(frame, self.folder / _READINGS)
        about = self.about()
        told = {
            "version": VERSION,
            "lines": about.lines,
            "events": about.events,
            "first": about.first,
            "newest": about.newest,
            "altered": sorted(about.altered),
            "batches": about.batches,
            "bytes": {name: (self.folder / name).stat().st_size for name in _files(about)},
        }
        write_private(self.folder / _ABOUT, json.dumps(told).encode())

    def _masked(self, events: pl.DataFrame) -> pl.DataFrame:
        changed: list[pl.Series] = []
        for name in MASKED:
            masked = mask_series(events[name])
            if name not in self._altered and bool((masked != events[name]).any()):
                self._altered.add(name)
            changed.append(masked)
        return events.with_columns(changed)


class StoredLog:
    """A log that was kept whole."""

    def __init__(self, folder: Path, about: About) -> None:
        self.folder = folder
        self.about = about

    @classmethod
    def open(cls, folder: Path) -> "StoredLog":
        """Return the log that is kept in a folder; raises BadEntryError."""
        try:
            told = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            if told.pop("version") != VERSION:
                raise BadEntryError(f"{folder}: of another version")
            sizes = dict(told.pop("bytes"))
            about = About(
                **told
                | {
                    "altered": frozenset(told["altered"]),
                    "batches": tuple((e, w, s, u) for e, w, s, u in told["batches"]),
                }
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadEntryError(f"{folder}: {error}") from error
        for name in _files(about):
            file = folder / name
            if not file.is_file() or file.stat().st_size != sizes.get(name):
                raise BadEntryError(f"{file}: missing, or not whole")
        return cls(folder, about)

    def batches(self, columns: Collection[str]) -> Iterator[Gathered]:
        """Yield the log's batches as they were read, text masked; other columns are null."""
        wanted = [name for name in BATCH_SCHEMA if name in columns]
        for number, (_, watermark, since, until) in enumerate(self.about.batches):
            file = self.folder / _events(number)
            frame = pl.read_parquet(file, columns=wanted, glob=False)
            empty = (
                pl.lit(None, dtype).alias(name)
                for name, dtype in BATCH_SCHEMA.items()
                if name not in columns
            )
            events = frame.with_columns(empty).select(BATCH_SCHEMA.names())
            complete = None if since is None or until is None else Complete(since, until)
            yield Gathered(Batch(events, watermark), complete)

    def events(self, columns: Collection[str]) -> pl.LazyFrame:
        """Return all events, some columns, to be looked through for a few."""
        files = [self.folder / _events(number) for number in range(len(self.about.batches))]
        if not files:
            return pl.LazyFrame(schema=BATCH_SCHEMA).select(*columns)
        return pl.scan_parquet(files, glob=False).select(*columns)

    def readings(self) -> pl.DataFrame:
        """Return the readings of its sources (READING_SCHEMA)."""
        return pl.read_parquet(self.folder / _READINGS, glob=False)

    def counts(self, version: str, shape: str) -> RuleCounts | None:
        """Return what a version of the detectors counted for a shape; None if it did not."""
        place = self.folder / f"counts-{version}"
        try:
            told = json.loads((place / f"{shape}.json").read_text(encoding="utf-8"))
            panes = _read(place / f"{shape}.panes.parquet", VIOLATION_SCHEMA, told["panes"])
            clients = _read(place / f"{shape}.clients.parquet", CLIENT_SCHEMA, told["clients"])
            return RuleCounts(told["floor"], panes, clients)
        except (OSError, ValueError, KeyError, PolarsError):
            return None

    def keep_counts(self, version: str, counts: Mapping[str, RuleCounts]) -> None:
        """Keep what a version of the detectors counted, by shape; that of others is dropped."""
        for old in self.folder.glob("*-*"):
            if old.is_dir() and not old.name.endswith(f"-{version}"):
                shutil.rmtree(old)
        place = private_folder(self.folder / f"counts-{version}")
        for shape, each in counts.items():
            for name, frame in (("panes", each.panes), ("clients", each.clients)):
                if frame.height:
                    _write(frame, place / f"{shape}.{name}.parquet")
            told = {
                "floor": each.floor,
                "panes": each.panes.height,
                "clients": each.clients.height,
            }
            write_private(place / f"{shape}.json", json.dumps(told).encode())

    def learned(self, version: str, signature: str) -> list[Finding] | None:
        """Return what learned detectors found; None if they were not asked."""
        try:
            text = (self.folder / f"learned-{version}" / f"{signature}.json").read_text("utf-8")
            return [finding_of(row) for row in json.loads(text)]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_learned(self, version: str, signature: str, found: list[Finding]) -> None:
        """Keep what learned detectors found."""
        rows: list[dict[str, Any]] = [row_of(finding) for finding in found]
        place = self.folder / f"learned-{version}" / f"{signature}.json"
        write_private(place, json.dumps(rows).encode())


def _files(about: About) -> list[str]:
    return [_READINGS, *(_events(number) for number in range(len(about.batches)))]


def _events(number: int) -> str:
    return f"events-{number:05}.parquet"


def _write(frame: pl.DataFrame, file: Path) -> None:
    frame.write_parquet(private_file(file), compression="lz4", statistics=False)


def _read(file: Path, schema: pl.Schema, height: int) -> pl.DataFrame:
    return pl.read_parquet(file, glob=False) if height else pl.DataFrame(schema=schema)
