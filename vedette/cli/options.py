"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file (vedette init writes one).")
]
Database = Annotated[
    str | None, typer.Option("--database", help="Database URL or SQLite file to use instead.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]
Files = Annotated[
    list[str], typer.Argument(help="Log files, folders, globs, or - for standard input.")
]
Format = Annotated[
    str, typer.Option("--format", help="Log format; auto detects it from the first lines.")
]
