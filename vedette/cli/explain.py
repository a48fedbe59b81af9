"""Commands that say why, and what can be seen at all: `vedette explain`, `vedette coverage`."""

from typing import Annotated

import typer

from vedette.cli.options import Config, Database

explain_cli = typer.Typer()

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LINE | LOGS...]",
        help="One line, or - to read it from standard input; with --entity logs.",
        show_default=False,
    ),
]


@explain_cli.command()
def explain(
    what: What = None,
    config: Config = None,
    entity: Annotated[
        str | None,
        typer.Option("--entity", metavar="TYPE:NAME", help="Such as client:203.0.113.7."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When, as in 2026-11-02T08:00:00Z."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="Read the line as of this log or service."),
    ] = None,
    log_format: Annotated[
        str, typer.Option("--format", help="Log format; auto detects it from the first lines.")
    ] = "auto",
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")] = False,
) -> None:
    """Say what becomes of a line, or what was counted for somebody and why it is an incident."""
    given = what or []
    if entity is None:
        if len(given) != 1:
            raise typer.BadParameter("give one line in quotes, - for standard input, or --entity")
        from vedette.commands.explain import explain_line

        raise typer.Exit(
            explain_line(given[0], config, source=source, log_format=log_format, as_json=as_json)
        )
    if source is not None:
        raise typer.BadParameter("--source is about one line; with --entity name logs")
    from vedette.commands.explain import explain_entity

    raise typer.Exit(
        explain_entity(
            entity,
            given,
            config,
            at=at,
            log_format=log_format,
            database=database,
            as_json=as_json,
        )
    )


@explain_cli.command()
def coverage(
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE | LOGS...]",
            help="Logs, - for standard input, or a service of the settings; else all of these.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    log_format: Annotated[
        str, typer.Option("--format", help="Log format; auto detects it from the first lines.")
    ] = "auto",
    events: Annotated[
        int, typer.Option("--events", min=1, help="Look at about so many events at most.")
    ] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")] = False,
) -> None:
    """Say what can be found in a log, and what to log so that more can be."""
    from vedette.commands.coverage import print_what_is_covered

    raise typer.Exit(
        print_what_is_covered(
            logs or [], config, log_format=log_format, limit=events, as_json=as_json
        )
    )
