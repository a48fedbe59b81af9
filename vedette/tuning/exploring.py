"""What is in a log, before any rule: who asks for what, how it is answered, what detectors see.

pandas is imported when it is used.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.detection import Detection
from detectors.findings import Finding, merge_runs
from ingest.events import Batch
from ingest.evidence import user_agent_family
from ingest.masking import mask_series
from ingest.pseudonyms import Pseudonyms
from vedette.coverage.filled import filled_by
from vedette.coverage.sight import sights
from vedette.detecting import families_of
from vedette.evaluation.episodes import disguised, episodes_of
from vedette.explain.entities import Explained, entity_of, explain_in_log
from vedette.rules import catalogue_of
from vedette.settings import settings_from
from vedette.simulation.batches import batch_frame
from vedette.simulation.simulation import simulate
from vedette.tuning.labelled import LabelledLog

if TYPE_CHECKING:
    import pandas as pd

#: Classes of answers, in the order in which they are shown.
CLASSES: Final = ("2xx", "3xx", "4xx", "5xx", "none")

_START: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
#: Attacks and near-misses of the shop in notebooks.
SCENARIOS: Final = (
    "credential_stuffing",
    "distributed_login_guessing",
    "guessed_password",
    "missing_path_scan",
    "object_enumeration",
    "scanner",
    "sensitive_files",
    "server_errors",
    "session_in_many_countries",
    "sql_injection",
    "crawler",
    "retrying_device",
    "uptime_monitor",
)

_TIMELY: Final = pl.col("effective_time")


def simulated_hours(seed: int = 1, hours: float = 2.0) -> LabelledLog:
    """Return some hours of a simulated shop with a dozen attacks, all of them known."""
    run = simulate(
        seed, _START, timedelta(hours=hours), requests_per_second=2.0, scenarios=SCENARIOS
    )
    events = batch_frame(run.events)
    keys = Pseudonyms(b"simulated" * 4)
    events = events.with_columns(keys.api_keys(events["api_key"]))
    episodes = disguised(episodes_of(run.truth), keys, ())
    return LabelledLog(events, settings_from(run.settings_toml), tuple(episodes), is_labelled=True)


def fields(log: LabelledLog) -> "pd.DataFrame":
    """Return how many of the events have each column: columns field, filled (0 to 1), distinct."""
    import pandas as pd

    filled = filled_by([Batch(log.events, None)])
    rows = [
        {
            "field": name,
            "filled": filled.share(name),
            "distinct": log.events[name].drop_nulls().n_unique() if name in log.events else 0,
        }
        for name in filled.counts
        if name != "edge"
    ]
    return pd.DataFrame(rows)


def detectors(log: LabelledLog) -> "pd.DataFrame":
    """Return what each detector can see of the log: detector, state, share, missing, notes."""
    import pandas as pd

    filled = filled_by([Batch(log.events, None)])
    found = sights(filled, catalogue_of(log.settings), families_of(log.settings))
    rows = [
        {
            "detector": each.detector,
            "state": each.state,
            "share": each.share,
            "missing": ", ".join(each.missing),
            "notes": "; ".join(each.notes),
        }
        for each in found
    ]
    return pd.DataFrame(rows)


def traffic(log: LabelledLog, every: timedelta = timedelta(minutes=10)) -> "pd.DataFrame":
    """Return requests by class of answer, a row for each slot of time that has any."""
    status = pl.col("status")
    kind = (
        pl.when(status.is_null())
        .then(pl.lit("none"))
        .otherwise((status // 100).clip(2, 5).cast(pl.String()) + "xx")
    )
    slots = (
        log.events.select(time=_TIMELY.dt.truncate(every), kind=kind)
        .group_by("time", "kind")
        .len()
        .pivot("kind", index="time", values="len")
        .sort("time")
    )
    missing = [pl.lit(0).alias(name) for name in CLASSES if name not in slots.columns]
    counted = slots.with_columns(missing).select("time", pl.col(CLASSES).fill_null(0))
    return _pandas(counted).set_index("time")


def routes(log: LabelledLog) -> "pd.DataFrame":
    """Return a row for each route, the most used first.

    Columns: route (masked), requests, clients, refused (401, 403), missing (404), failed (5xx), all
    three as shares, and the middle and the slow (19 of 20 are faster) duration in ms.
    """
    status = pl.col("status")
    share = {
        "refused": status.is_in([401, 403]),
        "missing": status.eq(404),
        "failed": status.ge(500),
    }
    counted = log.events.group_by("route").agg(
        requests=pl.len(),
        clients=pl.col("client_ip").n_unique(),
        **{name: found.fill_null(value=False).mean() for name, found in share.items()},
        middle_ms=pl.col("duration_us").median() / 1000,
        slow_ms=pl.col("duration_us").quantile(0.95) / 1000,
    )
    ordered = counted.sort("requests", "route", descending=[True, False])
    return _pandas(ordered.with_columns(mask_series(ordered["route"]).alias("route")))


def clients(log: LabelledLog) -> "pd.DataFrame":
    """Return a row for each client, the busiest first.

    Columns: client, requests, paths (distinct), not_ok (share answered 4xx or 5xx), minutes (in
    which it was there), agents (distinct), agent (the family of one of them), label: what is known
    of it, unknown without labels.
    """
    counted = (
        log.events.filter(pl.col("client_ip").is_not_null())
        .group_by(client="client_ip")
        .agg(
            requests=pl.len(),
            paths=pl.col("path").n_unique(),
            not_ok=pl.col("status").ge(400).fill_null(value=False).mean(),
            minutes=_TIMELY.dt.truncate("1m").n_unique(),
            agents=pl.col("user_agent").n_unique(),
            agent=pl.col("user_agent").drop_nulls().first(),
        )
        .sort("requests", "client", descending=[True, False])
    )
    known = {
        name: "attack" if episode.attack else "benign"
        for episode in sorted(log.episodes, key=lambda each: each.attack)
        for name in (*episode.members, *(n for kind, n in episode.entities if kind == "client"))
    }
    families = [user_agent_family(agent) for agent in counted["agent"]]
    labels = [known.get(client, "unknown") for client in counted["client"]]
    told = pl.Series("agent", families, pl.String()), pl.Series("label", labels, pl.String())
    return _pandas(counted.with_columns(*told))


def findings(log: LabelledLog) -> "pd.DataFrame":
    """Return what all detectors find in the log, the first first.

    Columns: detector, level, entity_type, entity, first, last, value, threshold, unit, mode.
    """
    import pandas as pd

    found = _found(log)
    columns = ["detector", "level", "entity_type", "entity", "first", "last", "value"]
    columns += ["threshold", "unit", "mode"]
    rows = [
        {**{name: getattr(each, name) for name in columns}, "level": each.level.label}
        for each in found
    ]
    return pd.DataFrame(rows, columns=columns)


def explained(log: LabelledLog, entity: str, at: datetime | str | None = None) -> Explained:
    """Return what was counted for an entity ("client:203.0.113.7") at a time, as explain does."""
    time = datetime.fromisoformat(at) if isinstance(at, str) else at
    batches = [Batch(log.events, None)]
    return explain_in_log(batches, _detection(log), entity_of(entity), time)


def counters(explanation: Explained) -> "pd.DataFrame":
    """Return the counters of an explanation that hold anything, those nearest to the limit first.

    Columns: rule, over, value, limit, share (of the limit), unit, peak, why.
    """
    import pandas as pd

    rows = [
        {
            "rule": each.rule.name,
            "over": each.over,
            "value": each.value,
            "limit": each.limit,
            "share": each.value / max(each.limit, 1),
            "unit": each.rule.unit,
            "peak": each.peak,
            "why": "; ".join([*([each.why] if each.why else []), *each.notes]),
        }
        for each in (*explanation.over, *explanation.nearest)
    ]
    return pd.DataFrame(rows)


def _pandas(frame: pl.DataFrame) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(frame.to_dict(as_series=False))


def _detection(log: LabelledLog) -> Detection:
    catalogue = catalogue_of(log.settings)
    return Detection(catalogue, log.settings.detectors, families_of(log.settings), prompt=False)


def _found(log: LabelledLog) -> list[Finding]:
    detection = _detection(log)
    return merge_runs([], detection.process(Batch(log.events, None)) + detection.finish())
