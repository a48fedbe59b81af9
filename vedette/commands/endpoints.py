"""vedette endpoints: what answers, since when, how much, and to whom."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from alerts.database.times import utc_now
from alerts.traffic.endpoints import EndpointQuery, StoredEndpoint, list_endpoints
from ingest.masking import printable, printable_json
from vedette.failures import WRONG_USE, reports_failures
from vedette.incident_query import time_of
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents

#: How what documents say is shown; nothing where all is well.
_STANDINGS: Final = {
    "undeclared": ("in no OpenAPI document", "bold red"),
    "undeclared method": ("method in no OpenAPI document", "bold red"),
    "deprecated": ("deprecated", "yellow"),
}

#: How callers are called.
_CALLERS: Final = {"user": "user", "api_key": "key", "none": "anyone"}


@reports_failures
def list_all(
    config: Path | None,
    database: str | None,
    given: Mapping[str, Any],
    *,
    days: int | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print endpoints that the options in `given` name, by service and path."""
    now = utc_now()
    try:
        times = {
            "since": time_of("--since", given["since"], now),
            "new_since": time_of("--new-since", given["new_since"], now),
        }
    except ValueError as error:
        note(terminal(stderr=True), f"vedette: {error}")
        return WRONG_USE
    query = EndpointQuery(**{**given, **times})
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    try:
        found = list_endpoints(engine, query, days=days, limit=limit + 1)
    finally:
        engine.dispose()
    shown = found[:limit]
    if as_json:
        for endpoint in shown:
            sys.stdout.write(printable_json(json.dumps(endpoint.to_dict())) + "\n")
        return 0
    if not shown:
        note(terminal(), f"No endpoints in {name}, or none that match.")
        return 0
    counted = "" if days is None else f", requests of {days} days"
    terminal().print(_table(shown, f"Endpoints in {name}{counted}"))
    if len(found) > limit:
        note(terminal(), f"More than {limit:,} match; --limit shows more.")
    return 0


def _table(endpoints: Sequence[StoredEndpoint], title: str) -> Table:
    table = Table(title=Text(printable(title)), title_justify="left", header_style="bold")
    table.add_column("endpoint", ratio=1, overflow="fold")
    table.add_column("requests", justify="right", no_wrap=True)
    table.add_column("answers", max_width=7)
    table.add_column("callers", max_width=7)
    table.add_column("first, last", no_wrap=True)
    service: str | None = None
    for number, endpoint in enumerate(endpoints):
        if number == 0 or endpoint.service != service:
            service = endpoint.service
            table.add_section()
            name = "(no service named)" if service is None else printable(service)
            table.add_row(Text(name, style="bold"))
        table.add_row(
            _name(endpoint),
            f"{endpoint.requests:,}",
            " ".join(endpoint.statuses),
            " ".join(_CALLERS.get(each, each) for each in endpoint.authentication),
            f"{_time(endpoint.first_seen)}\n{_time(endpoint.last_seen)}",
        )
    return table


def _name(endpoint: StoredEndpoint) -> Text:
    """Return method and path, and below what is odd about them."""
    text = Text(f"{printable(endpoint.method)} {printable(endpoint.template)}")
    odd, style = _STANDINGS.get(endpoint.standing or "", ("", ""))
    if odd:
        text.append(f"\n{odd}", style=style)
    if "http" in endpoint.schemes:
        text.append("\nover plain HTTP", style="yellow")
    if endpoint.role == "internal":
        text.append("\ninternal", style="dim")
    return text


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"
