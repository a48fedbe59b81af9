"""vedette quarantine: what could not be read, what may help, and reading it again."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.quarantine.groups import QuarantineStore, StoredDetail, StoredGroup
from ingest.masking import printable, printable_json
from ingest.quarantine import REASONS, Reason
from ingest.replay import RecordsGoneError
from ingest.sources import KafkaSource
from ingest.topics.again import TopicRecords
from vedette.failures import FAILED, PARTLY_READ, WRONG_USE, reports_failures
from vedette.replaying import Outcome, Replayer
from vedette.screen import note, options, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents

#: What to do about each reason.
ADVICE: Final[dict[Reason, str]] = {
    "unparsed": "set the source's format, or add a pattern to `ignore` if these are no requests",
    "not_text": "often scanners or a compressed file: nothing to do if there are few",
    "too_long": "nothing reads such lines; shorten what the server logs, such as bodies or cookies",
    "no_time": "map the field that holds the time, or let the server log one",
    "future": "check the clock and the time zone of the host that wrote it",
    "partial": "the container runtime cut the line: let a shipper join the parts",
    "poison": "see which program writes this to the topic; the offset is the position below",
}


@reports_failures
def list_groups(
    config: Path | None,
    database: str | None,
    *,
    partition: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print groups of quarantined lines, the largest first."""
    if reason is not None and reason not in REASONS:
        note(
            terminal(stderr=True),
            f"vedette: --reason {reason}: must be one of {', '.join(REASONS)}",
        )
        return WRONG_USE
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    groups = QuarantineStore(engine).list_groups(partition=partition, reason=reason, limit=limit)
    engine.dispose()
    if as_json:
        for group in groups:
            _write_json(group.to_dict())
        return 0
    console = terminal()
    same = options(config=config, database=database and name)
    if groups:
        console.print(_table(groups, f"Lines in {name} that could not be read"))
        note(console, f"What to do: vedette quarantine show {groups[0].id}{same}")
    else:
        note(console, f"Nothing in {name} was put aside.")
    return 0


@reports_failures
def show_group(identity: int, config: Path | None, database: str | None, *, as_json: bool) -> int:
    """Print one group: what it means, samples, what may help."""
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    detail = QuarantineStore(engine).show(identity)
    engine.dispose()
    if detail is None:
        note(terminal(stderr=True), f"vedette: no group {identity} in {name}")
        return FAILED
    if as_json:
        _write_json(detail.to_dict())
    else:
        _print(terminal(), detail, config, options(database=database and name))
    return 0


@reports_failures
def replay_groups(
    identities: Sequence[int],
    config: Path | None,
    database: str | None,
    *,
    log_format: str,
    store: bool,
    as_json: bool,
) -> int:
    """Read groups again with the settings of today; with `store`, through the detectors."""
    settings = load_settings(config)
    engine, name = stored_incidents(settings, database, configured=config is not None)
    topics = TopicRecords([s for s in settings.sources if isinstance(s, KafkaSource)])
    replayer = Replayer(settings, engine, log_format=log_format, stores=store, others=[topics])
    screen = terminal(stderr=True)
    status = 0
    for identity in identities:
        detail = replayer.groups.show(identity)
        if detail is None:
            note(screen, f"vedette: no group {identity} in {name}")
            status = FAILED
            continue
        try:
            outcome = replayer.replay(detail)
        except RecordsGoneError as error:
            note(screen, f"vedette: group {identity}: {printable(str(error))}")
            status = status or PARTLY_READ
            continue
        if outcome.problems:
            status = status or PARTLY_READ
        if as_json:
            _write_json(outcome.to_dict())
        else:
            _tell(terminal(), outcome)
    engine.dispose()
    return status


def _write_json(value: dict[str, Any]) -> None:
    sys.stdout.write(printable_json(json.dumps(value)) + "\n")


def _table(groups: Sequence[StoredGroup], title: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", show_lines=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("lines", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("last seen (UTC)", min_width=8)
    table.add_column("where, shape, what may help", ratio=1, overflow="fold")
    for group in groups:
        place = [group.partition, group.shape, *(group.suggestion or "").splitlines()]
        table.add_row(
            str(group.id),
            f"{group.count:,}",
            group.reason,
            f"{group.last_seen_at:%Y-%m-%d %H:%M:%S}",
            Text("\n".join(map(printable, place))),
        )
    return table


def _print(console: Console, detail: StoredDetail, config: Path | None, same: str) -> None:
    group = detail.group
    reason = next((known for known in REASONS if known == group.reason), None)
    note(
        console,
        f"Group {group.id}: {group.count:,} x {group.reason}",
        f"  in      {printable(group.partition)}",
        f"  shape   {printable(group.shape)}",
        f"  seen    {group.first_seen_at:%Y-%m-%d %H:%M:%S} to "
        f"{group.last_seen_at:%Y-%m-%d %H:%M:%S} (UTC), "
        f"positions {group.first_position} to {group.last_position}",
    )
    if reason is not None:
        note(console, f"  means   {REASONS[reason]}", f"  do      {ADVICE[reason]}")
    if group.suggestion is not None:
        note(console, "", "With these settings of the source such lines are events:")
        note(console, *(f"  {printable(line)}" for line in group.suggestion.splitlines()))
    if group.replayed_at is not None:
        note(
            console,
            "",
            f"Read again {group.replayed_at:%Y-%m-%d %H:%M:%S} (UTC): "
            f"{group.replayed_events:,} events, {group.replayed_rest:,} still none.",
        )
    note(console, "")
    _samples(console, detail)
    note(
        console,
        "Read them again, with settings that fit:",
        f"  vedette quarantine replay {group.id}{options(config=config or 'vedette.toml')}{same}",
    )


def _samples(console: Console, detail: StoredDetail) -> None:
    samples = detail.spans[0].samples if detail.spans else ()
    if not samples:
        note(console, "No samples: only the positions of these lines are known.")
        return
    table = Table("position", "bytes", "line (masked)", title="Samples", show_lines=True)
    for sample in samples:
        table.add_row(str(sample.position), f"{sample.length:,}", Text(printable(sample.text)))
    console.print(table)


def _tell(console: Console, outcome: Outcome) -> None:
    rest = ", ".join(f"{count:,} x {reason}" for reason, count in outcome.rest.items())
    note(
        console,
        f"Group {outcome.id}: {outcome.lines:,} lines read again, {outcome.events:,} are events now"
        + (f", still none: {rest}." if rest else "."),
    )
    if outcome.unknown:
        note(console, f"  {outcome.unknown:,} lines were not read: their places are not kept.")
    for problem in outcome.problems:
        note(console, f"  {printable(problem)}")
    if outcome.changes is not None:
        note(console, f"  Changes of incidents: {outcome.changes:,}.")
