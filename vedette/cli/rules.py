"""`vedette rules`: the rules that are active, and rules of your own."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import Config, Json

rules_cli = typer.Typer(help="List, check and test rules.", no_args_is_help=True)

Rules = Annotated[list[Path], typer.Argument(help="Files of Sigma rules, or folders of them.")]


@rules_cli.command("list")
def rules_list(config: Config = None, as_json: Json = False) -> None:
    """List the rules that are active, with the limits of the settings."""
    from vedette.commands.rules import show

    raise typer.Exit(show(config, as_json=as_json))


@rules_cli.command("check")
def rules_check(paths: Rules, config: Config = None, as_json: Json = False) -> None:
    """Say which rules are accepted, and of every other why it is refused."""
    from vedette.commands.rules import check

    raise typer.Exit(check(paths, config, as_json=as_json))


@rules_cli.command("test")
def rules_test(paths: Rules, config: Config = None, as_json: Json = False) -> None:
    """Run the tests beside rules: NAME.tests.yml beside NAME.yml."""
    from vedette.commands.rules import test

    raise typer.Exit(test(paths, config, as_json=as_json))
