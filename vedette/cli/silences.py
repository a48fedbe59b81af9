"""`vedette silences`: nobody is told of some incidents for a while."""

from typing import Annotated

import typer

from vedette.cli.matching import (
    Detectors,
    Entities,
    EntityTypes,
    Labels,
    Services,
    Severities,
    SeverityMin,
    Tags,
)
from vedette.cli.options import Config, Database, Json

silences_cli = typer.Typer(help="Tell nobody of some incidents for a while.", no_args_is_help=True)


@silences_cli.command("add")
def silences_add(
    comment: Annotated[str, typer.Option("--comment", help="Why; others will read it.")],
    seconds: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long, such as 2h or 7d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Its end, ISO 8601; else UTC.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Its beginning; else at once.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who; else your login name.")
    ] = None,
    severity: Severities = None,
    severity_min: SeverityMin = None,
    detector: Detectors = None,
    service: Services = None,
    entity: Entities = None,
    entity_type: EntityTypes = None,
    tag: Tags = None,
    label: Labels = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="About all incidents, if nothing else is said.")
    ] = False,
    config: Config = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Tell nobody of some incidents for a while; they are stored all the same."""
    from vedette.commands.silences import add

    wanted = {
        "severity": severity,
        "severity_min": severity_min,
        "detector": detector,
        "service": service,
        "entity": entity,
        "entity_type": entity_type,
        "tag": tag,
        "label": label,
    }
    raise typer.Exit(
        add(
            config,
            database,
            wanted,
            comment=comment,
            by=by,
            start=start,
            until=until,
            duration=seconds,
            everything=everything,
            as_json=as_json,
        )
    )


@silences_cli.command("list")
def silences_list(
    expired: Annotated[bool, typer.Option("--expired", help="Also those that are over.")] = False,
    config: Config = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List silences in force and to come."""
    from vedette.commands.silences import show

    raise typer.Exit(show(config, database, expired=expired, as_json=as_json))


@silences_cli.command("expire")
def silences_expire(
    silence: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Number of the silence.")],
    config: Config = None,
    database: Database = None,
) -> None:
    """End a silence; what waited because of it is told at once."""
    from vedette.commands.silences import expire

    raise typer.Exit(expire(silence, config, database))
