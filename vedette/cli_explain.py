"""Commands that say why: `vedette explain`."""

from typing import Annotated

import typer

from vedette.cli_options import Config, Database

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LINE | LOGS...]",
        help="One line, or - to read it from standard input; with --entity logs.",
        show_default=False,
    ),
]


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
