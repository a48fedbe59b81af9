"""Commands that tune: back-tests, sweeps of one limit, suggestions from what people decided."""

from pathlib import Path
from typing import Annotated

import typer

tuning_cli = typer.Typer()

Files = Annotated[
    list[str] | None, typer.Argument(help="Log files, folders or globs.", show_default=False)
]
Truth = Annotated[
    Path | None, typer.Option("--truth", help="What is true about the logs: JSON lines or CSV.")
]
Decisions = Annotated[
    str | None,
    typer.Option("--database", help="Take what people decided about its incidents as labels."),
]
Format = Annotated[
    str, typer.Option("--format", help="Log format; auto detects it from the first lines.")
]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Folder to keep masked events and counts in.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")]


@tuning_cli.command()
def backtest(
    files: Files = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Settings as they are; else the defaults.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Settings as they might be.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key; may be repeated."),
    ] = None,
    truth: Truth = None,
    database: Decisions = None,
    log_format: Format = "auto",
    cache: Cache = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write a page with pictures (HTML).")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Also write it for a pull request.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all that back-tests keep of logs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say which incidents other settings would have gained, lost and changed."""
    from vedette.commands.backtest import clear_cache, run_backtest

    if clear:
        raise typer.Exit(clear_cache(settings, cache))
    if not files or (against is None and not changes):
        raise typer.BadParameter("give logs, and --against or --set (or --clear)")
    raise typer.Exit(
        run_backtest(
            files,
            settings,
            against,
            changes=changes or (),
            truth=truth,
            database=database,
            log_format=log_format,
            cache=cache,
            report=report,
            markdown=markdown,
            as_json=as_json,
        )
    )
