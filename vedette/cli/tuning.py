"""Commands that tune: back-tests, sweeps of one limit, suggestions from what people decided."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import Config, Database

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


@tuning_cli.command()
def sweep(
    files: Annotated[list[str], typer.Argument(help="Log files, folders or globs.")],
    rule: Annotated[str, typer.Argument(help="Name of a rule.", show_default=False)],
    config: Config = None,
    thresholds: Annotated[
        str | None,
        typer.Option("--threshold", help="Limits: 5,10,20 or 5:50:10 (from, to, how many)."),
    ] = None,
    truth: Truth = None,
    database: Decisions = None,
    budget: Annotated[
        float, typer.Option("--budget", min=0, help="False alarms a day (else incidents).")
    ] = 0.0,
    log_format: Format = "auto",
    cache: Cache = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a limit.")] = False,
) -> None:
    """Say what one rule would have found with many limits, and which one to take."""
    from vedette.commands.sweep import run_sweep

    raise typer.Exit(
        run_sweep(
            files,
            rule,
            config,
            thresholds=thresholds,
            truth=truth,
            database=database,
            budget=budget,
            log_format=log_format,
            cache=cache,
            as_json=as_json,
        )
    )


@tuning_cli.command()
def suggest(
    config: Config = None,
    database: Database = None,
    lose: Annotated[
        int, typer.Option("--lose", min=0, help="Attacks that a higher limit may cost.")
    ] = 0,
    least: Annotated[
        int, typer.Option("--least", min=1, help="False alarms that speak for a change.")
    ] = 2,
    as_json: Json = False,
) -> None:
    """Say how precise detectors are by what people decided, and suggest settings."""
    from vedette.commands.suggest import run_suggest

    raise typer.Exit(run_suggest(config, database, lose=lose, least=least, as_json=as_json))
