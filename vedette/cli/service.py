"""Commands that set the service up, run it, and look after it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from vedette.cli.options import Config, Json

service_cli = typer.Typer()


@service_cli.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("vedette.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a settings file with every setting explained."""
    from vedette.commands.init import write_settings

    raise typer.Exit(write_settings(path, force=force))


@service_cli.command()
def run(
    config: Config = None,
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
) -> None:
    """Run the service: follow the sources, keep incidents, tell people, serve the API."""
    from vedette.commands.run import run_service

    raise typer.Exit(run_service(config, seconds))


@service_cli.command()
def login(
    name: Annotated[
        str | None, typer.Option("--name", help="Whom it is for; else your login name.")
    ] = None,
    role: Annotated[
        Literal["viewer", "analyst", "admin"], typer.Option("--role", help="What they may do.")
    ] = "analyst",
    config: Config = None,
) -> None:
    """Print a link that logs somebody into the page, once."""
    from vedette.commands.login import log_in

    raise typer.Exit(log_in(name, role, config))


@service_cli.command()
def doctor(config: Config = None, as_json: Json = False) -> None:
    """Look at settings, database, sources, targets and all else, and say what to fix."""
    from vedette.commands.doctor import run_doctor

    raise typer.Exit(run_doctor(config, as_json=as_json))
