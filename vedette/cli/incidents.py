"""The command line of `vedette incidents`: look at incidents, and decide about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vedette.cli.options import Config, Database, Json

if TYPE_CHECKING:
    from alerts.incidents.decisions import Change

#: Numbers in every database fit into this.
_MOST: Final = 2**63 - 1

incidents_cli = typer.Typer(help="List, show and handle what is stored.", no_args_is_help=False)
label_cli = typer.Typer(help="Add and remove labels.", no_args_is_help=True)
incidents_cli.add_typer(label_cli, name="label")

Number = Annotated[int, typer.Argument(min=1, max=_MOST, help="Number of the incident.")]
Numbers = Annotated[list[int], typer.Argument(min=1, max=_MOST, help="Numbers of the incidents.")]
AnyNumbers = Annotated[
    list[int] | None,
    typer.Argument(min=1, max=_MOST, help="Numbers of incidents; without, those of the options."),
]
Names = Annotated[list[str], typer.Argument(metavar="LABELS...", help="Labels.")]
Resolution = Annotated[
    str,
    typer.Option("--as", help="true_positive, false_positive, benign, mitigated or duplicate."),
]
Note = Annotated[str | None, typer.Option("--comment", help="Also say why.")]
Version = Annotated[
    int | None,
    typer.Option("--if-version", min=1, help="Only if it is this version still (see show --json)."),
]
Status = Annotated[
    list[str] | None,
    typer.Option(help="open, acknowledged, resolved, closed; more than once for several."),
]
Severity = Annotated[
    list[str] | None, typer.Option(help="Only of this severity; more than once for several.")
]
SeverityMin = Annotated[str | None, typer.Option(help="Of this severity or above.")]
Entity = Annotated[str | None, typer.Option(help="Only of this client, user and so on.")]
EntityType = Annotated[str | None, typer.Option(help="client, network, user, api_key, route...")]
Detector = Annotated[str | None, typer.Option(help="Only with a finding of this detector.")]
Service = Annotated[str | None, typer.Option(help="Only with evidence from this service.")]
Tag = Annotated[str | None, typer.Option(help="Only with this tag, such as attack.t1110.")]
Stage = Annotated[
    str | None, typer.Option(help="Only of attacks that reached this stage, such as success.")
]
Label = Annotated[str | None, typer.Option(help="Only with this label.")]
Assignee = Annotated[str | None, typer.Option(help="Only those assigned to this person.")]
Unassigned = Annotated[bool, typer.Option("--unassigned", help="Only those of nobody.")]
Text = Annotated[str | None, typer.Option(help="Only with this text in entity or summary.")]
Since = Annotated[str | None, typer.Option(help="Active after this time, or in the last 2h.")]
Until = Annotated[str | None, typer.Option(help="Begun before this time, or 2h ago.")]
Mode = Annotated[str | None, typer.Option(help="alert (the default), monitor or any.")]
Parent = Annotated[
    int | None,
    typer.Option(min=1, max=_MOST, help="Only parts of this attack by many clients."),
]
Members = Annotated[
    bool, typer.Option("--include-members", help="Also parts of attacks by many clients.")
]
Sort = Annotated[str | None, typer.Option(help="last (active, the default), start or severity.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]


@incidents_cli.callback(invoke_without_command=True)
def incidents_list(
    context: typer.Context,
    config: Config = None,
    database: Database = None,
    status: Status = None,
    severity: Severity = None,
    severity_min: SeverityMin = None,
    entity: Entity = None,
    entity_type: EntityType = None,
    detector: Detector = None,
    service: Service = None,
    tag: Tag = None,
    stage: Stage = None,
    label: Label = None,
    assignee: Assignee = None,
    unassigned: Unassigned = False,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    mode: Mode = None,
    parent: Parent = None,
    include_members: Members = False,
    sort: Sort = None,
    limit: Limit = 50,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """List incidents, the last active first."""
    given = _given(locals())
    if context.invoked_subcommand is not None:
        context.obj = (config, database)
        return
    from vedette.commands.incidents import list_stored

    raise typer.Exit(
        list_stored(config, database, given, limit=limit, as_json=as_json, as_csv=as_csv)
    )


@incidents_cli.command("show")
def incidents_show(
    context: typer.Context,
    incident: Number,
    config: Config = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show one incident: story, findings, evidence, related ones, who was told, timeline."""
    from vedette.commands.incidents import show_stored

    raise typer.Exit(show_stored(incident, *_where(context, config, database), as_json=as_json))


@incidents_cli.command("export")
def incidents_export(
    context: typer.Context,
    incidents: AnyNumbers = None,
    config: Config = None,
    database: Database = None,
    export_format: Annotated[
        str, typer.Option("--format", help="json (everything), ocsf or csv.")
    ] = "json",
    out: Annotated[Path | None, typer.Option(help="File to write, readable by you alone.")] = None,
    status: Status = None,
    severity: Severity = None,
    severity_min: SeverityMin = None,
    entity: Entity = None,
    entity_type: EntityType = None,
    detector: Detector = None,
    service: Service = None,
    tag: Tag = None,
    stage: Stage = None,
    label: Label = None,
    assignee: Assignee = None,
    unassigned: Unassigned = False,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    mode: Mode = None,
    parent: Parent = None,
    include_members: Members = False,
    sort: Sort = None,
    limit: Limit = 1_000,
) -> None:
    """Write incidents for other programs: as JSON, OCSF Detection Findings or CSV."""
    given = _given(locals())
    from vedette.commands.incident_export import export

    place = _where(context, config, database)
    raise typer.Exit(
        export(incidents or [], *place, given, limit=limit, export_format=export_format, out=out)
    )


@incidents_cli.command("ack")
def incidents_ack(
    context: typer.Context,
    incidents: Numbers,
    comment: Note = None,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Say that somebody is at it: nobody is reminded any more."""
    from alerts.incidents.decisions import Change

    wanted = Change(status="acknowledged", comment=comment)
    _change(context, incidents, wanted, "acknowledged", config, database, if_version)


@incidents_cli.command("resolve")
def incidents_resolve(
    context: typer.Context,
    incidents: Numbers,
    resolution: Resolution,
    comment: Note = None,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Say that it is over, and what it was."""
    from alerts.incidents.decisions import Change

    wanted = Change(status="resolved", resolution=resolution, comment=comment)  # type: ignore[arg-type]
    _change(context, incidents, wanted, "resolved", config, database, if_version)


@incidents_cli.command("close")
def incidents_close(
    context: typer.Context,
    incidents: Numbers,
    resolution: Resolution,
    comment: Note = None,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Say that there is nothing left to do, and what it was."""
    from alerts.incidents.decisions import Change

    wanted = Change(status="closed", resolution=resolution, comment=comment)  # type: ignore[arg-type]
    _change(context, incidents, wanted, "closed", config, database, if_version)


@incidents_cli.command("reopen")
def incidents_reopen(
    context: typer.Context,
    incidents: Numbers,
    comment: Note = None,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Say that it is not over, or that nobody is at it."""
    from alerts.incidents.decisions import Change

    wanted = Change(status="open", comment=comment)
    _change(context, incidents, wanted, "open again", config, database, if_version)


@incidents_cli.command("assign")
def incidents_assign(
    context: typer.Context,
    incidents: Numbers,
    to: Annotated[str | None, typer.Option(help="Who handles it.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it from whoever has it.")] = False,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Say who handles it."""
    from alerts.incidents.decisions import Change

    if (to is None) != nobody:
        raise typer.BadParameter("say to whom: --to NAME, or --nobody")
    done = "assigned to nobody" if to is None else f"assigned to {to}"
    _change(context, incidents, Change(assignee=to), done, config, database, if_version)


@incidents_cli.command("comment")
def incidents_comment(
    context: typer.Context,
    incident: Number,
    text: Annotated[str, typer.Argument(help="What to keep about it.")],
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Write something about it into its timeline."""
    from alerts.incidents.decisions import Change

    _change(context, [incident], Change(comment=text), "commented", config, database, if_version)


@label_cli.command("add")
def label_add(
    context: typer.Context,
    incident: Number,
    labels: Names,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Add labels to an incident."""
    from alerts.incidents.decisions import Change

    wanted = Change(add_labels=tuple(labels))
    _change(context, [incident], wanted, "labelled", config, database, if_version)


@label_cli.command("remove")
def label_remove(
    context: typer.Context,
    incident: Number,
    labels: Names,
    if_version: Version = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Remove labels from an incident."""
    from alerts.incidents.decisions import Change

    wanted = Change(remove_labels=tuple(labels))
    _change(context, [incident], wanted, "no longer so labelled", config, database, if_version)


def _given(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the options that choose incidents."""
    others = {"context", "config", "database", "incidents", "export_format", "out", "limit"}
    others |= {"as_json", "as_csv"}
    return {name: value for name, value in parameters.items() if name not in others}


def _where(
    context: typer.Context, config: Path | None, database: str | None
) -> tuple[Path | None, str | None]:
    """Return which database: options may also stand before the subcommand."""
    earlier_config, earlier_database = context.obj
    return config or earlier_config, database or earlier_database


def _change(
    context: typer.Context,
    incidents: list[int],
    wanted: "Change",
    done: str,
    config: Path | None,
    database: str | None,
    version: int | None,
) -> None:
    from vedette.commands.incident_actions import Place, change

    place = Place(incidents, *_where(context, config, database), version)
    raise typer.Exit(change(place, wanted, done))
