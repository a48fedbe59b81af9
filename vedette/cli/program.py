"""The program, and the order of its commands."""

from typing import Annotated, Final

import typer

from vedette.cli.explain import explain_cli
from vedette.cli.incidents import incidents_cli
from vedette.cli.keys import keys_cli
from vedette.cli.logs import logs_cli
from vedette.cli.notify import notify_cli
from vedette.cli.quarantine import quarantine_cli
from vedette.cli.rules import rules_cli
from vedette.cli.service import service_cli
from vedette.cli.silences import silences_cli
from vedette.cli.stored import stored_cli
from vedette.cli.trials import trials_cli
from vedette.cli.tuning import tuning_cli

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
#: As --help lists them; those without a name are commands of the program itself.
_GROUPS: Final = (
    (None, service_cli),
    (None, logs_cli),
    (None, trials_cli),
    (None, tuning_cli),
    (None, explain_cli),
    ("incidents", incidents_cli),
    (None, stored_cli),
    ("quarantine", quarantine_cli),
    ("rules", rules_cli),
    ("notify", notify_cli),
    ("silences", silences_cli),
    ("keys", keys_cli),
)
for _name, _group in _GROUPS:
    cli.add_typer(_group, name=_name)


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
