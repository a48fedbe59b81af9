"""The client model on a log, for notebooks: who is how odd, and what other limits would tell.

pandas is imported when it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.learned.clients.features import FEATURES, judged
from detectors.learned.clients.model import ClientModel
from detectors.learned.clients.training import History
from ingest.reader import LogReader
from ingest.times import microseconds
from vedette.settings import load_settings
from vedette.simulation.batches import batch_frame
from vedette.simulation.long_runs import LongRun, long_run
from vedette.simulation.machines import machine_addresses
from vedette.simulation.scenarios import all_scenarios

if TYPE_CHECKING:
    import pandas as pd

#: What is known of a client, in the order in which it is shown.
LABELS: Final = ("unknown", "regular", "near miss", "attack")

#: Near-misses that are there all day, of those that the simulator has.
_MACHINES: Final = ("call_centre", "partner_sync", "retrying_device", "uptime_monitor")
_START: Final = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClientLog:
    """What the clients of a log did, by windows, and what is known of them.

    `labels` is what a client is ("attack" or "near miss"), by address; all others are unknown.
    """

    history: History = field(repr=False)
    events: int
    labels: dict[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """Say what it is in a line."""
        first, last = self.history.span
        return (
            f"{self.events:,} events in {(last - first) / 86_400_000_000:.1f} days,"
            f" {self.history.found['key'].n_unique():,} clients to learn from,"
            f" {judged(self.history.found)['key'].n_unique():,} to judge"
        )


def read_clients(files: Sequence[str], config: str | Path | None = None) -> ClientLog:
    """Read logs as `vedette train` does: paths, folders or globs; compressed ones too.

    Raises OSError if a file cannot be read, and what `vedette train` tells of settings.
    """
    from vedette.one_run import secret_for_files
    from vedette.sources import enrichment_of, sources_for

    settings = load_settings(None if config is None else Path(config))
    enrichment = enrichment_of(settings, secret_for_files())
    reader = LogReader(sources_for(files, settings, "auto"), enrichment=enrichment)
    history = History()
    for batch in reader.batches():
        history.add(batch.events, batch.watermark)
    history.finish()
    if reader.problems:
        raise OSError("; ".join(str(problem) for problem in reader.problems))
    return ClientLog(history, reader.tally.events)


def simulated_clients(
    seed: int, days: int, requests_per_second: float, *, attacks: bool
) -> ClientLog:
    """Return days of a simulated shop with near-misses, and with attacks that no rule can tell.

    Machines that are there every day have the same addresses whatever the seed.
    """
    wanted = [
        each.name
        for each in all_scenarios()
        if each.name in _MACHINES or (each.needs_model and each.kind == "near_miss")
    ]
    wanted += [each.name for each in all_scenarios() if attacks and each.needs_model]
    run = long_run(
        seed,
        _START,
        timedelta(days=days),
        requests_per_second=requests_per_second,
        scenarios=tuple(dict.fromkeys(wanted)),
    )
    machines = machine_addresses(run)
    history, events = History(), 0
    for frame in run.frames():
        batch = batch_frame(frame, events)
        events += batch.height
        newest = batch["effective_time"].max()
        watermark = microseconds(newest) if isinstance(newest, datetime) else None
        history.add(batch.with_columns(pl.col("client_ip").replace(machines)), watermark)
    history.finish()
    return ClientLog(history, events, _labels(run, machines))


def oddness(log: ClientLog, model: ClientModel) -> "pd.DataFrame":
    """Return each judged client at its oddest, the oddest first.

    Columns: client, points, label (one of LABELS; who was there on several days of the model's
    history is a regular), least (the points from which a regular is told, 0 for others), told, why,
    and every feature.
    """
    import pandas as pd

    rows = judged(log.history.found)
    scored = rows.with_columns(model.points(rows)).sort("points", "key", descending=[True, False])
    regulars = model.about.regulars
    told = [
        {
            **row,
            "label": "regular"
            if row["key"] in regulars
            else log.labels.get(row["client"], "unknown"),
            "least": model.limit_of(row["key"], 0),
            "told": row["points"] >= model.limit_of(row["key"], model.about.limit),
            "why": model.note(row).removeprefix("in six hours ").removesuffix(" of most clients"),
        }
        for row in scored.unique("key", keep="first", maintain_order=True).iter_rows(named=True)
    ]
    columns = ["client", "points", "label", "least", "told", "why", *FEATURES]
    return pd.DataFrame(told, columns=columns)


def told_by_limit(odd: "pd.DataFrame", limits: Sequence[int]) -> "pd.DataFrame":
    """Return how many clients of each label each limit would tell: a row a limit (points)."""
    import pandas as pd

    labels = [label for label in LABELS if (odd["label"] == label).any()]
    rows = [
        [int(((odd["label"] == label) & _reaches(odd, limit)).sum()) for label in labels]
        for limit in limits
    ]
    index = pd.Index(limits, name="limit")
    return pd.DataFrame(rows, index=index, columns=labels)


def _reaches(odd: "pd.DataFrame", limit: int) -> "pd.Series[bool]":
    return odd["points"] >= odd["least"].clip(lower=limit)


def _labels(run: LongRun, machines: dict[str, str]) -> dict[str, str]:
    """Return what clients are, by address; who attacks is an attacker whatever else it does."""
    truth = sorted(run.truth, key=lambda row: row.kind == "attack")
    return {
        machines.get(client, client): "attack" if row.kind == "attack" else "near miss"
        for row in truth
        for client in row.clients
    }
