"""Commands that read logs once: what is in them, what is learned of them, how well that works."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import Config, Database, Files, Format, Json

logs_cli = typer.Typer()


@logs_cli.command()
def scan(
    files: Files,
    config: Config = None,
    log_format: Format = "auto",
    database: Database = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Go on from what vedette run or learn has learned.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Analyse log files once and list the incidents in them. Tells nobody."""
    from vedette.commands.scan import run_scan

    raise typer.Exit(
        run_scan(
            files,
            config,
            log_format=log_format,
            database=database,
            learned=learned,
            as_json=as_json,
        )
    )


@logs_cli.command()
def normalise(files: Files, config: Config = None, log_format: Format = "auto") -> None:
    """Print events as NDJSON, masked; for an unparsed line its reason."""
    from vedette.commands.normalise import print_events

    raise typer.Exit(print_events(files, config, log_format=log_format))


@logs_cli.command()
def evaluate(
    files: Files,
    truth: Annotated[
        Path, typer.Argument(help="What is true about them: JSON lines or CSV.", show_default=False)
    ],
    config: Config = None,
    log_format: Format = "auto",
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Also draw it into this PNG file.")
    ] = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Go on from what vedette run or learn has learned.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")] = False,
) -> None:
    """Say how well the detectors do on logs of which you know the truth."""
    from vedette.commands.evaluate import run_evaluation

    raise typer.Exit(
        run_evaluation(
            files,
            truth,
            config,
            log_format=log_format,
            picture=picture,
            learned=learned,
            as_json=as_json,
        )
    )


@logs_cli.command()
def learn(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Log files, folders, globs, or - for standard input."),
    ] = None,
    config: Config = None,
    log_format: Format = "auto",
    database: Database = None,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far is learned; read nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn from old logs what is usual, for detectors that need days of it."""
    from vedette.commands.learn import learn_from, print_status

    if status == bool(files):
        raise typer.BadParameter("give logs to learn from, or --status")
    if status:
        raise typer.Exit(print_status(config, database=database, as_json=as_json))
    raise typer.Exit(
        learn_from(files or [], config, log_format=log_format, database=database, as_json=as_json)
    )


@logs_cli.command()
def train(
    files: Files,
    config: Config = None,
    log_format: Format = "auto",
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="CLIENT", help="Do not learn from this client."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed and logs: the same model.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train the client model from old logs: what clients usually do within hours."""
    from vedette.commands.train import train_from

    raise typer.Exit(
        train_from(
            files,
            config,
            log_format=log_format,
            without=without or [],
            seed=seed,
            as_json=as_json,
        )
    )
