"""`vedette notify`: who is told of what, and what was sent."""

from typing import Annotated

import typer

from vedette.cli.matching import Detectors, Labels, Services, Tags
from vedette.cli.options import Config, Database, Json

notify_cli = typer.Typer(help="Who is told of what, and what was sent.", no_args_is_help=True)


@notify_cli.command("test")
def notify_test(
    target: Annotated[str, typer.Argument(help="Name of the target; notify.url is default.")],
    config: Config = None,
) -> None:
    """Send a test message to one target and say what it answered."""
    from vedette.commands.deliveries import send_test

    raise typer.Exit(send_test(target, config))


@notify_cli.command("history")
def notify_history(
    config: Config = None,
    database: Database = None,
    incident: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="Only about this incident.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="Only to this target.")] = None,
    state: Annotated[
        str | None, typer.Option(help="sent, trying, dead, waiting, suppressed, rolled_up.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List what was sent when, what was not, and why."""
    from vedette.commands.deliveries import show_history

    raise typer.Exit(
        show_history(
            config,
            database,
            incident=incident,
            target=target,
            state=state,
            limit=limit,
            as_json=as_json,
        )
    )


@notify_cli.command("retry")
def notify_retry(
    delivery: Annotated[
        int | None, typer.Argument(min=1, max=2**63 - 1, help="Number of the message.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="All dead messages to this target.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead messages.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Let dead messages be sent again."""
    from vedette.commands.deliveries import retry

    raise typer.Exit(retry(delivery, config, database, target=target, everything=everything))


@notify_cli.command("routes")
def notify_routes(
    example: Annotated[
        int | None,
        typer.Argument(min=1, max=2**63 - 1, help="An incident's number; else describe one."),
    ] = None,
    severity: Annotated[
        str, typer.Option(metavar="LEVEL", help="Its severity, if you describe one.")
    ] = "medium",
    detector: Detectors = None,
    service: Services = None,
    entity: Annotated[str, typer.Option(metavar="NAME", help="What it is about.")] = "203.0.113.7",
    entity_type: Annotated[
        str, typer.Option("--entity-type", metavar="TYPE", help="What that is.")
    ] = "client",
    tag: Tags = None,
    label: Labels = None,
    config: Config = None,
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")] = False,
) -> None:
    """Say who would be told of an incident, how soon, what mutes it, and why."""
    from vedette.commands.notify import explain_routes

    raise typer.Exit(
        explain_routes(
            config,
            database,
            example,
            severity=severity,
            detectors=detector or [],
            services=service or [],
            entity=entity,
            entity_type=entity_type,
            tags=tag or [],
            labels=label or [],
            as_json=as_json,
        )
    )
