"""vedette simulate: made-up traffic with attacks, and the truth about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from vedette.failures import WRONG_USE, reports_failures
from vedette.screen import note, terminal
from vedette.simulation.simulation import simulate
from vedette.simulation.write import write


@reports_failures
def write_simulation(
    folder: Path,
    *,
    seed: int,
    hours: float,
    rate: float,
    start: datetime,
    log_format: Literal["combined", "json"],
    files: int,
) -> int:
    """Write log, truth and settings into a folder."""
    screen = terminal(stderr=True)
    with screen.status("Making traffic"):
        length = timedelta(hours=hours)
        try:
            simulation = simulate(seed, start.replace(tzinfo=UTC), length, requests_per_second=rate)
        except ValueError as error:
            note(screen, f"vedette: {error}")
            return WRONG_USE
        logs = write(simulation, folder, log_format, files)
    for log in logs:
        note(screen, f"{log}")
    settings = folder / "vedette.toml"
    note(
        screen,
        f"{simulation.events.height:,} requests, {len(simulation.truth)} scenarios "
        f"({folder / 'truth.jsonl'}).",
        f"Try: vedette scan --config {settings} {' '.join(str(log) for log in logs)}",
    )
    return 0
