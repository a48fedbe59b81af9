"""Commands about what is stored beside incidents."""

from typing import Annotated, Literal

import typer

from vedette.cli.options import Config, Database, Json

stored_cli = typer.Typer()


@stored_cli.command()
def endpoints(
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="Of this service.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="METHOD", help="With this method, as GET.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", metavar="TEXT", help="With this in the path.")
    ] = None,
    standing: Annotated[
        Literal["declared", "deprecated", "undeclared", "undeclared method", "unknown"] | None,
        typer.Option("--standing", help="What OpenAPI documents say of it."),
    ] = None,
    caller: Annotated[
        Literal["user", "api_key", "none"] | None,
        typer.Option("--caller", help="That answered such callers; none: neither user nor key."),
    ] = None,
    role: Annotated[
        Literal["edge", "internal"] | None, typer.Option("--role", help="Where it was seen.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Seen since then, or so long ago: 7d."),
    ] = None,
    new_since: Annotated[
        str | None,
        typer.Option("--new-since", metavar="TIME", help="First seen since then, or so long ago."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Count the requests of the last days only.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 200,
    config: Config = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List the endpoints that answered: since when, how much, and to whom."""
    from vedette.commands.endpoints import list_all

    given = {
        "service": service,
        "method": method,
        "text": path,
        "standing": standing,
        "authentication": caller,
        "role": role,
        "since": since,
        "new_since": new_since,
    }
    raise typer.Exit(list_all(config, database, given, days=days, limit=limit, as_json=as_json))


@stored_cli.command()
def erase(
    entity_type: Annotated[
        Literal["client", "network", "user", "api_key", "route", "service", "source"],
        typer.Argument(metavar="TYPE", help="client, network, user, api_key, route or service."),
    ],
    value: Annotated[str, typer.Argument(help="Its name, as the log or incidents have it.")],
    config: Config = None,
    database: Database = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete all that is kept about a client, user or other entity, wherever it is kept."""
    from vedette.commands.erase import erase_everywhere

    raise typer.Exit(erase_everywhere(entity_type, value, config, database, yes=yes))
