"""vedette notify test, history, retry: does it arrive, what was sent when, and once more."""

import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

from rich.table import Table
from rich.text import Text

from alerts.database.times import utc_now
from alerts.incidents.views import EXAMPLE, IncidentView
from alerts.messages import render
from alerts.messages.news import TEST
from alerts.messages.notices import Item, Notice
from alerts.routing.target import Target, TargetError
from alerts.sending.history import Entry, State, history, revive
from alerts.transports import transport_of
from alerts.transports.outcome import Outcome
from detectors.findings import Level
from ingest.masking import printable
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.notifying import targets_of
from vedette.screen import note, options, terminal
from vedette.settings import Settings, load_settings
from vedette.stores import kept_database

#: States that `history --state` takes.
STATES: Final = get_args(State)

_STYLES: Final = {"sent": "green", "dead": "bold red", "trying": "yellow", "waiting": "yellow"}


@reports_failures
def send_test(name: str, config: Path | None) -> int:
    """Send a message that says it is a test, once, and say what the receiver answered."""
    settings = load_settings(config)
    target = next((target for target in targets_of(settings) if target.name == name), None)
    if target is None:
        note(terminal(stderr=True), f"vedette: {_unknown(name, settings)}")
        return WRONG_USE
    mark = f"test-{uuid.uuid4().hex}"
    notice = Notice(
        (Item(_example(target), (TEST,)),),
        mark,
        link=settings.notify.link,
        options=options(config=settings.file),
    )
    try:
        outcome = transport_of(target).deliver(render(notice, target))
    except TargetError as error:
        note(terminal(stderr=True), f"vedette: {error}")
        return WRONG_USE
    if outcome.delivered:
        note(terminal(), f"{name} took the test message; its reference is {mark}.")
        return 0
    note(terminal(stderr=True), f"vedette: {name} did not take the test message: {_said(outcome)}")
    return FAILED


@reports_failures
def show_history(
    config: Path | None,
    database: str | None,
    *,
    incident: int | None,
    target: str | None,
    state: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print messages, and news that are in none, the newest first."""
    wanted = next((known for known in STATES if known == state), None)
    if state is not None and wanted is None:
        known = ", ".join(STATES)
        note(terminal(stderr=True), f"vedette: --state {state}: must be one of {known}")
        return WRONG_USE
    engine, name = kept_database(load_settings(config), database, configured=config is not None)
    entries = history(engine, incident=incident, target=target, state=wanted, limit=limit)
    engine.dispose()
    if as_json:
        for entry in entries:
            sys.stdout.write(json.dumps(entry.to_dict()) + "\n")
        return 0
    console = terminal()
    if not entries:
        note(console, f"Nothing in {name} matches.")
        return 0
    console.print(_table(entries, f"Messages of {name}, the newest first"))
    dead = [entry for entry in entries if entry.state == "dead" and entry.count]
    if dead:
        same = options(config=config, database=database)
        note(console, f"Send what is dead again: vedette notify retry{_which(dead)}{same}")
    return 0


@reports_failures
def retry(
    delivery: int | None,
    config: Path | None,
    database: str | None,
    *,
    target: str | None,
    everything: bool,
) -> int:
    """Let dead messages be sent again, by the service."""
    screen = terminal(stderr=True)
    if sum((delivery is not None, target is not None, everything)) != 1:
        note(screen, "vedette: say which: a message's number, --target NAME, or --all")
        return WRONG_USE
    engine, name = kept_database(load_settings(config), database, configured=config is not None)
    revived = revive(engine, utc_now(), delivery=delivery, target=target)
    engine.dispose()
    if revived:
        numbers = ", ".join(str(number) for number in revived[:20])
        more = f" and {len(revived) - 20} more" if len(revived) > 20 else ""  # noqa: PLR2004
        note(terminal(), f"To be sent again, while vedette run does: {numbers}{more}.")
        return 0
    which = f"message {delivery}" if delivery is not None else "such message"
    note(screen, f"vedette: no {which} in {name} is dead")
    return FAILED


def _unknown(name: str, settings: Settings) -> str:
    known = ", ".join(target.name for target in targets_of(settings))
    if not known:
        return "there are no targets: set notify.url, or add [targets.NAME]; --config names a file"
    return f"there is no target {name}; known are {known}"


def _which(dead: Sequence[Entry]) -> str:
    """Return how `vedette notify retry` is told which messages."""
    if len(dead) == 1:
        return f" {dead[0].delivery}"
    targets = {entry.target for entry in dead}
    return options(target=targets.pop()) if len(targets) == 1 else " --all"


def _said(outcome: Outcome) -> str:
    said = printable(outcome.error or "no reason given")
    if outcome.retry_after is not None:
        return f"{said}; it asks to wait {int(outcome.retry_after.total_seconds())} s"
    if outcome.permanent:
        return f"{said}; another attempt would meet the same: check the address and its token"
    return f"{said}; a message of the service would be tried again"


def _example(target: Target) -> IncidentView:
    now = utc_now()
    return replace(
        EXAMPLE,
        id=0,
        severity=Level.INFORMATIONAL.label,
        entity_type="target",
        entity=target.name,
        detectors=("notify_test",),
        tags=(),
        started_at=now,
        last_at=now,
        summary="This is a test by vedette notify test: nothing has happened.",
        stages=(),
        services=(),
    )


def _table(entries: Sequence[Entry], title: str) -> Table:
    table = Table(title=Text(printable(title)), title_justify="left", header_style="bold")
    table.add_column("no.", justify="right", no_wrap=True)
    table.add_column("made (UTC)", min_width=8)
    table.add_column("target", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("about", ratio=1, overflow="fold")
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("when, or why not", ratio=1, overflow="fold")
    for entry in entries:
        table.add_row(
            "" if entry.delivery is None else str(entry.delivery),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            Text(printable(entry.target)),
            Text(entry.state, style=_STYLES.get(entry.state, "dim")),
            Text(_about(entry)),
            str(len(entry.attempts)) if entry.attempts else "",
            Text(_when(entry)),
        )
    return table


def _about(entry: Entry) -> str:
    told = ", ".join(f"{news.incident} {news.transition}" for news in entry.news[:3])
    more = f" and {entry.count - 3:,} more" if entry.count > 3 else ""  # noqa: PLR2004
    return printable(f"{'digest: ' if entry.digest else ''}incident {told}{more}")


def _when(entry: Entry) -> str:
    parts = []
    if entry.sent_at is not None:
        parts.append(f"sent {entry.sent_at:%H:%M:%S}")
    if entry.why is not None:
        parts.append(entry.why)
    if entry.next_at is not None:
        parts.append(f"next at {entry.next_at:%H:%M:%S}")
    endless = sum(attempt.ended_at is None for attempt in entry.attempts)
    if endless:
        parts.append(f"stopped in the midst of {endless}")
    return printable("; ".join(parts))
