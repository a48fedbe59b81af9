"""vedette silences: tell nobody of some incidents for a while."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from alerts.database.times import utc_now
from alerts.muting.mutes import open_incidents
from alerts.muting.silences import Silence, SilenceError, add_silence, expire_silence, list_silences
from alerts.routing.matchers import Matchers, unmatched
from ingest.durations import parse_duration
from ingest.masking import printable
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.people import terminal_user
from vedette.rules import catalogue_of, detector_names
from vedette.screen import note, options, terminal
from vedette.settings import Settings, load_settings
from vedette.stores import kept_database


@reports_failures
def add(
    config: Path | None,
    database: str | None,
    wanted: Mapping[str, Any],
    *,
    comment: str,
    by: str | None,
    start: str | None,
    until: str | None,
    duration: str | None,
    everything: bool,
    as_json: bool,
) -> int:
    """Keep a silence and say what it mutes."""
    screen = terminal(stderr=True)
    now = utc_now()
    settings = load_settings(config)
    try:
        matchers = _about(wanted, everything)
        _check_detectors(matchers, settings)
        starts_at, ends_at = _span(now, start, until, duration)
    except ValueError as error:
        note(screen, f"vedette: {error}")
        return WRONG_USE
    engine, name = kept_database(settings, database, configured=config is not None)
    try:
        silence = add_silence(
            engine,
            matchers,
            comment=comment,
            created_by=terminal_user() if by is None else by,
            starts_at=starts_at,
            ends_at=ends_at,
            now=now,
            everything=everything,
        )
        with engine.connect() as connection:
            found = open_incidents(connection, matchers.least)
    except SilenceError as error:
        note(screen, f"vedette: {error}")
        return WRONG_USE
    finally:
        engine.dispose()
    if as_json:
        _write(silence, now)
        return 0
    muted = sum(matchers.matches(incident) for incident in found)
    place = options(config=config, database=database)
    note(
        screen,
        f"Silence {silence.id} in {name}, until {_time(silence.ends_at)} UTC:"
        f" {printable(str(matchers))}",
        f"Open incidents that it is about now: {muted}",
        f"End it with: vedette silences expire {silence.id}{place}",
    )
    return 0


@reports_failures
def show(config: Path | None, database: str | None, *, expired: bool, as_json: bool) -> int:
    """Print silences, the newest first."""
    now = utc_now()
    engine, name = kept_database(load_settings(config), database, configured=config is not None)
    silences = list_silences(engine, now, expired=expired)
    engine.dispose()
    if as_json:
        for silence in silences:
            _write(silence, now)
    elif silences:
        terminal().print(_table(silences, now, f"Silences in {name}"))
    else:
        note(terminal(), f"No silences in {name}.")
    return 0


@reports_failures
def expire(identity: int, config: Path | None, database: str | None) -> int:
    """End a silence at once."""
    engine, name = kept_database(load_settings(config), database, configured=config is not None)
    try:
        expire_silence(engine, identity, utc_now())
    except SilenceError as error:
        note(terminal(stderr=True), f"vedette: {name}: {error}")
        return FAILED
    finally:
        engine.dispose()
    note(terminal(stderr=True), f"Silence {identity} is over. What waited because of it is due.")
    return 0


def _about(wanted: Mapping[str, Any], everything: bool) -> Matchers:
    """Return the matchers that options name; raises ValueError, which names the option."""
    given = {name: value for name, value in wanted.items() if value}
    if not given and not everything:
        raise ValueError("which incidents? Add --entity and so on; --everything silences all")
    try:
        return Matchers.model_validate(given)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        option = str(mistake["loc"][0]).replace("_", "-")
        text = str(mistake.get("ctx", {}).get("error", mistake["msg"]))
        text = text.replace("Input should be", "must be")
        raise ValueError(f"--{option}: {printable(text)}") from error


def _check_detectors(matchers: Matchers, settings: Settings) -> None:
    """Raise ValueError for a detector that is none; rules are read only if there is one to know."""
    if matchers.detector:
        known = detector_names(settings, catalogue_of(settings))
        wrong = unmatched(matchers.detector, known)
        if wrong is not None:
            raise ValueError(f"--detector: there is no detector {wrong}")


def _span(
    now: datetime, start: str | None, until: str | None, duration: str | None
) -> tuple[datetime, datetime]:
    begin = now if start is None else _parsed("--from", start)
    if (until is None) == (duration is None):
        raise ValueError("say how long: --for 2h, or --until 2026-12-31T08:00:00Z")
    if until is not None:
        return begin, _parsed("--until", until)
    try:
        return begin, max(begin, now) + parse_duration(duration)
    except ValueError as error:
        raise ValueError(f"--for: {error}") from error


def _parsed(option: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option}: must be a date and time, as in 2026-12-31T08:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _table(silences: Sequence[Silence], now: datetime, title: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", show_lines=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("about", ratio=2, overflow="fold")
    table.add_column("from, until (UTC)", min_width=16)
    table.add_column("who and why", ratio=2, overflow="fold")
    for silence in silences:
        table.add_row(
            str(silence.id),
            silence.state(now),
            Text(printable(str(silence.matchers))),
            f"{_time(silence.starts_at)}\n{_time(silence.ends_at)}",
            Text(f"{printable(silence.created_by)}: {printable(silence.comment)}"),
        )
    return table


def _write(silence: Silence, now: datetime) -> None:
    sys.stdout.write(json.dumps(silence.to_dict() | {"state": silence.state(now)}) + "\n")


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
