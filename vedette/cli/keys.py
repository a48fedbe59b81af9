"""`vedette keys`: who may use the incident API."""

from typing import Annotated, Literal

import typer

from vedette.cli.options import Config

keys_cli = typer.Typer(help="Keys of the incident API.", no_args_is_help=True)


@keys_cli.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[
        Literal["viewer", "analyst", "admin"], typer.Option(help="What it may do.")
    ] = "viewer",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Only this part of the API, such as blocklist; may be repeated."),
    ] = None,
    life: Annotated[
        str | None, typer.Option("--for", help="End by itself after this long, such as 90d.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a key and show it, once."""
    from vedette.commands.keys import create

    raise typer.Exit(create(name, role, scope or (), life, config))


@keys_cli.command("rotate")
def keys_rotate(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")], config: Config = None
) -> None:
    """Make a key that replaces another, which works for a day more."""
    from vedette.commands.keys import rotate

    raise typer.Exit(rotate(key_id, config))


@keys_cli.command("list")
def keys_list(config: Config = None) -> None:
    """List keys, never their secrets."""
    from vedette.commands.keys import show

    raise typer.Exit(show(config))


@keys_cli.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")], config: Config = None
) -> None:
    """Make a key worthless at once."""
    from vedette.commands.keys import revoke

    raise typer.Exit(revoke(key_id, config))
