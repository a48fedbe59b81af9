"""A run as files: the log or logs, the truth, and the settings that the run needs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vedette.simulation.long_runs import LongRun
from vedette.simulation.render import Format, render
from vedette.simulation.simulation import Simulation
from vedette.simulation.truth import in_combined, write_truth

_ENDINGS: Final[dict[Format, str]] = {"combined": "log", "json": "json"}
_CHUNK: Final = 200_000


def lines(
    simulation: Simulation,
    format: Format = "combined",  # noqa: A002
) -> Iterator[str]:
    """Yield the run's log lines, without line ends, in the order of completion."""
    first = 0
    for chunk in simulation.events.iter_slices(_CHUNK):
        yield from render(chunk, format, first)
        first += chunk.height


def write(
    simulation: Simulation,
    folder: Path,
    format: Format = "combined",  # noqa: A002
    files: int = 1,
) -> list[Path]:
    """Write access.log (JSON: access.json), truth.jsonl and the settings; return the logs.

    With `files` > 1 the lines go in turn into access-1.log, access-2.log and so on. Raises
    ValueError if `files` is below 1.
    """
    if files < 1:
        raise ValueError("files must be at least 1")
    folder.mkdir(parents=True, exist_ok=True)
    ending = _ENDINGS[format]
    names = [f"access-{number}.{ending}" for number in range(1, files + 1)]
    logs = [folder / name for name in (names if files > 1 else [f"access.{ending}"])]
    rendered = render(simulation.events, format)
    for place, log in enumerate(logs):
        with log.open("w", encoding="utf-8", newline="\n") as out:
            for chunk in rendered.gather_every(files, place).to_frame().iter_slices(_CHUNK):
                out.write("\n".join(chunk.to_series()))
                out.write("\n")
    truth = in_combined(simulation.truth) if format == "combined" else simulation.truth
    write_truth(truth, folder / "truth.jsonl")
    write_settings(simulation, folder)
    return logs


def write_settings(run: Simulation | LongRun, folder: Path) -> Path:
    """Write vedette.toml, and the OpenAPI documents that it names beside it; return its path.

    Settings name files from where a command is called, so the documents get the folder's path.
    """
    text = run.settings_toml
    for name, document in run.documents.items():
        (folder / name).write_text(document, encoding="utf-8")
        text = text.replace(json.dumps(name), json.dumps(str(folder / name)))
    file = folder / "vedette.toml"
    file.write_text(text, encoding="utf-8")
    return file
