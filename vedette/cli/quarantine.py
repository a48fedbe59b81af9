"""`vedette quarantine`: lines that could not be read."""

from typing import Annotated

import typer

from vedette.cli.options import Config, Database, Format, Json

quarantine_cli = typer.Typer(help="Lines that could not be read.", no_args_is_help=True)


@quarantine_cli.command("list")
def quarantine_list(
    config: Config = None,
    database: Database = None,
    partition: Annotated[
        str | None, typer.Option(help="Only of this log or topic partition.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List what could not be read, in groups of similar lines, the largest first."""
    from vedette.commands.quarantine import list_groups

    raise typer.Exit(
        list_groups(
            config, database, partition=partition, reason=reason, limit=limit, as_json=as_json
        )
    )


@quarantine_cli.command("show")
def quarantine_show(
    group: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Number of the group.")],
    config: Config = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show one group: what it means, samples, settings that may help."""
    from vedette.commands.quarantine import show_group

    raise typer.Exit(show_group(group, config, database, as_json=as_json))


@quarantine_cli.command("replay")
def quarantine_replay(
    groups: Annotated[
        list[int], typer.Argument(min=1, max=2**63 - 1, help="Numbers of the groups.")
    ],
    config: Config = None,
    log_format: Format = "auto",
    database: Database = None,
    store: Annotated[
        bool, typer.Option("--store", help="Put the events through the detectors, store incidents.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read groups again with the settings of today, and tell what is an event now."""
    from vedette.commands.quarantine import replay_groups

    raise typer.Exit(
        replay_groups(groups, config, database, log_format=log_format, store=store, as_json=as_json)
    )
