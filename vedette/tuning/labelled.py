"""A log in memory, normalised once, with what is known about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader, events_of
from vedette.evaluation.episodes import Episode, disguised, episodes_of, read_episodes
from vedette.settings import Settings, load_settings, settings_from

#: Of keys that nobody real has.
_SIMULATED_SECRET: Final = b"simulated" * 4


@dataclass(frozen=True, slots=True)
class LabelledLog:
    """All events of a log, the settings it is judged with, and what is true about it.

    `events` has the columns of ingest.events.BATCH_SCHEMA and is not masked. `is_labelled` is
    False where nobody said what is true: then nothing is known to be a false alarm.
    """

    events: pl.DataFrame = field(repr=False)
    settings: Settings = field(repr=False)
    episodes: tuple[Episode, ...] = field(repr=False)
    is_labelled: bool

    @property
    def days(self) -> float:
        """Days of event time from the first event to the last; 0 of an empty log."""
        times = self.events["effective_time"]
        first, last = times.min(), times.max()
        if not isinstance(first, datetime) or not isinstance(last, datetime):
            return 0.0
        return (last - first) / timedelta(days=1)

    def __str__(self) -> str:
        """Say what it is in a line."""
        attacks = sum(episode.attack for episode in self.episodes)
        known = f"{attacks:,} attacks known" if self.is_labelled else "no labels"
        return f"{self.events.height:,} events in {self.days:.2f} days, {known}"


def read_log(
    files: Sequence[str],
    *,
    truth: str | Path | None = None,
    config: str | Path | None = None,
    log_format: str = "auto",
) -> LabelledLog:
    """Read logs as `vedette scan` does: paths, folders or globs; compressed ones too.

    `truth` is a file as docs/evaluation.md has it, `config` the settings. All events are kept in
    memory: about 1 GB for three million. Raises OSError if a file cannot be read, and what
    `vedette scan` tells of settings, rules and truth files.
    """
    from vedette.one_run import secret_for_files
    from vedette.sources import enrichment_of, sources_for

    settings = load_settings(None if config is None else Path(config))
    secret = secret_for_files()
    sources = sources_for(files, settings, log_format)
    reader = LogReader(sources, enrichment=enrichment_of(settings, secret))
    events = events_of(reader.batches())
    if reader.problems:
        raise OSError("; ".join(str(problem) for problem in reader.problems))
    episodes = [] if truth is None else read_episodes(Path(truth))
    named = disguised(episodes, Pseudonyms(secret), settings.privacy.pseudonymise)
    return LabelledLog(events, settings, tuple(named), truth is not None)


def simulated_log(
    seed: int = 1,
    *,
    days: float = 1.0,
    requests_per_second: float = 4.0,
    start: datetime = datetime(2026, 11, 2, tzinfo=UTC),
) -> LabelledLog:
    """Return simulated traffic with every attack at three strengths a day, and near-misses."""
    from vedette.simulation.batches import batch_frame
    from vedette.simulation.long_runs import long_run

    run = long_run(seed, start, timedelta(days=days), requests_per_second=requests_per_second)
    pseudonyms = Pseudonyms(_SIMULATED_SECRET)
    events = pl.concat([batch_frame(frame) for frame in run.frames()])
    events = events.with_columns(
        pseudonyms.api_keys(events["api_key"]),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("position"),
    )
    episodes = disguised(episodes_of(run.truth), pseudonyms, ())
    return LabelledLog(events, settings_from(run.settings_toml), tuple(episodes), is_labelled=True)
