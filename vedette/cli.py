"""The command line. Each command imports what it needs when it runs, so that --help is quick."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from vedette.cli_explain import coverage, explain
from vedette.cli_incidents import incidents_cli
from vedette.cli_options import Config, Database, Json
from vedette.cli_tuning import tuning_cli

EXIT_STATUS: Final = (
    "Exit status: 0 done; 1 it failed (the message says why); 2 the command line or the settings "
    "are wrong; 3 done, but part of the input could not be read."
)

cli = typer.Typer(
    name="vedette",
    help="Reads API access logs, finds attacks and anomalies in them, and tells people about it.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
quarantine_cli = typer.Typer(help="Lines that could not be read.", no_args_is_help=True)
keys_cli = typer.Typer(help="Keys of the incident API.", no_args_is_help=True)
rules_cli = typer.Typer(help="List, check and test rules.", no_args_is_help=True)
silences_cli = typer.Typer(help="Tell nobody of some incidents for a while.", no_args_is_help=True)
notify_cli = typer.Typer(help="Who is told of what, and what was sent.", no_args_is_help=True)
cli.add_typer(incidents_cli, name="incidents")
cli.add_typer(quarantine_cli, name="quarantine")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(rules_cli, name="rules")
cli.add_typer(silences_cli, name="silences")
cli.add_typer(notify_cli, name="notify")
cli.add_typer(tuning_cli)
cli.command()(explain)
cli.command()(coverage)

Files = Annotated[
    list[str], typer.Argument(help="Log files, folders, globs, or - for standard input.")
]
Format = Annotated[
    str, typer.Option("--format", help="Log format; auto detects it from the first lines.")
]
#: Which incidents something is about; each but --severity-min may be given several times.
Severities = Annotated[
    list[str] | None, typer.Option("--severity", metavar="LEVEL", help="Of this severity.")
]
SeverityMin = Annotated[
    str | None, typer.Option("--severity-min", metavar="LEVEL", help="Of this severity or above.")
]
Detectors = Annotated[
    list[str] | None, typer.Option("--detector", metavar="NAME", help="With this detector.")
]
Services = Annotated[
    list[str] | None, typer.Option("--service", metavar="NAME", help="In this service.")
]
Entities = Annotated[
    list[str] | None,
    typer.Option("--entity", metavar="NAME", help="About this client, user, network and so on."),
]
EntityTypes = Annotated[
    list[str] | None,
    typer.Option("--entity-type", metavar="TYPE", help="About a client, user, network, route."),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="With this tag, as attack.t1110.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="LABEL", help="With this label.")
]

Rules = Annotated[list[Path], typer.Argument(help="Files of Sigma rules, or folders of them.")]


def _version(wanted: bool) -> None:
    if wanted:
        from vedette import __version__

        typer.echo(f"vedette {__version__}")
        raise typer.Exit


@cli.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Reads API access logs, finds attacks and anomalies in them, and tells people about it."""


@cli.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("vedette.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a settings file with every setting explained."""
    from vedette.commands.init import write_settings

    raise typer.Exit(write_settings(path, force=force))


@cli.command()
def scan(
    files: Files,
    config: Config = None,
    log_format: Format = "auto",
    database: Database = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Go on from what vedette run or learn has learned.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Analyse log files once and list the incidents in them. Tells nobody."""
    from vedette.commands.scan import run_scan

    raise typer.Exit(
        run_scan(
            files,
            config,
            log_format=log_format,
            database=database,
            learned=learned,
            as_json=as_json,
        )
    )


@cli.command()
def run(
    config: Config = None,
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
) -> None:
    """Run the service: follow the sources, keep incidents, tell people, serve the API."""
    from vedette.commands.run import run_service

    raise typer.Exit(run_service(config, seconds))


@cli.command()
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


@cli.command()
def doctor(config: Config = None, as_json: Json = False) -> None:
    """Look at settings, database, sources, targets and all else, and say what to fix."""
    from vedette.commands.doctor import run_doctor

    raise typer.Exit(run_doctor(config, as_json=as_json))


@cli.command()
def demo(
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How many times faster than real time.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another stream.")] = 1,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes any free one.")
    ] = 8787,
) -> None:
    """Run the service on a made-up stream of API traffic with attacks in it."""
    from vedette.commands.demo import run_demo

    raise typer.Exit(run_demo(seconds, speed=speed, seed=seed, port=port))


@cli.command()
def produce(
    bootstrap: Annotated[str, typer.Argument(help="host:port of a broker.")],
    topic: Annotated[str, typer.Argument(help="Topic to write to; it must exist.")],
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How many times faster than real time.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another stream.")] = 1,
) -> None:
    """Write the demo's made-up stream to a Kafka topic."""
    from vedette.commands.produce import run_producer

    raise typer.Exit(run_producer(bootstrap, topic, seconds, speed=speed, seed=seed))


@cli.command()
def normalise(files: Files, config: Config = None, log_format: Format = "auto") -> None:
    """Print events as NDJSON, masked; for an unparsed line its reason."""
    from vedette.commands.normalise import print_events

    raise typer.Exit(print_events(files, config, log_format=log_format))


@cli.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 1,
    hours: Annotated[float, typer.Option(min=0.05, help="How much traffic.")] = 1.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second on average.")] = 25.0,
    start: Annotated[datetime, typer.Option(help="First event (UTC).")] = datetime(2026, 11, 2, 8),  # noqa: DTZ001
    log_format: Annotated[
        Literal["combined", "json"], typer.Option("--format", help="Format of the log.")
    ] = "combined",
    files: Annotated[int, typer.Option(min=1, help="Split the log round-robin.")] = 1,
    intensity: Annotated[
        list[str] | None,
        typer.Option(metavar="weak|medium|strong", help="Of attacks; more than once for several."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one; more than once for several."),
    ] = None,
) -> None:
    """Write simulated traffic with attacks and near-misses, and the truth about them."""
    from vedette.commands.simulate import write_simulation

    raise typer.Exit(
        write_simulation(
            folder,
            seed=seed,
            hours=hours,
            rate=rate,
            start=start,
            log_format=log_format,
            files=files,
            intensities=intensity or ["medium"],
            scenarios=scenario or [],
        )
    )


@cli.command()
def evaluate(
    files: Files,
    truth: Annotated[
        Path, typer.Argument(help="What is true about them: JSON lines or CSV.", show_default=False)
    ],
    config: Config = None,
    log_format: Format = "auto",
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Also draw it into this PNG file.")
    ] = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Go on from what vedette run or learn has learned.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, not tables.")] = False,
) -> None:
    """Say how well the detectors do on logs of which you know the truth."""
    from vedette.commands.evaluate import run_evaluation

    raise typer.Exit(
        run_evaluation(
            files,
            truth,
            config,
            log_format=log_format,
            picture=picture,
            learned=learned,
            as_json=as_json,
        )
    )


@cli.command()
def learn(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Log files, folders, globs, or - for standard input."),
    ] = None,
    config: Config = None,
    log_format: Format = "auto",
    database: Database = None,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far is learned; read nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn from old logs what is usual, for detectors that need days of it."""
    from vedette.commands.learn import learn_from, print_status

    if status == bool(files):
        raise typer.BadParameter("give logs to learn from, or --status")
    if status:
        raise typer.Exit(print_status(config, database=database, as_json=as_json))
    raise typer.Exit(
        learn_from(files or [], config, log_format=log_format, database=database, as_json=as_json)
    )


@cli.command()
def train(
    files: Files,
    config: Config = None,
    log_format: Format = "auto",
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="CLIENT", help="Do not learn from this client."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed and logs: the same model.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train the client model from old logs: what clients usually do within hours."""
    from vedette.commands.train import train_from

    raise typer.Exit(
        train_from(
            files,
            config,
            log_format=log_format,
            without=without or [],
            seed=seed,
            as_json=as_json,
        )
    )


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


@cli.command()
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


@cli.command()
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
