"""vedette simulate: made-up traffic with attacks, and the truth about it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, cast

from vedette.failures import WRONG_USE, reports_failures
from vedette.screen import note, terminal
from vedette.simulation.simulation import simulate
from vedette.simulation.truth import Intensity
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
    intensities: Sequence[str] = ("medium",),
    scenarios: Sequence[str] = (),
) -> int:
    """Write log, truth and settings into a folder; no scenario named means all that fit."""
    screen = terminal(stderr=True)
    with screen.status("Making traffic"):
        length = timedelta(hours=hours)
        try:
            simulation = simulate(
                seed,
                start.replace(tzinfo=UTC),
                length,
                requests_per_second=rate,
                scenarios=scenarios or None,
                intensities=[cast("Intensity", word) for word in intensities],
            )
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
