"""The program: command line, settings, and the wiring of ingest, detectors, alerts and api.

cli/         the command line: one thin function a command
commands/    what each command does
settings     one TOML file plus VEDETTE_ environment
folders      where state lives when nobody says otherwise
stores       which database a command uses
scan         files in, findings out, once
prefetch     an iterator that runs ahead in a thread
one_run      the secret of commands that read files once
replaying    quarantined lines once more, into the store if wanted
worker       the service's loop: sources in, incidents stored and told
recovery     where it goes on: at the checkpoint, or from further back
duty         what the active process of several does: worker and sender
own_log      the API's own access log as a source
learning     how far detectors have learned, as the API tells it
vitals       what the worker measures of itself
doctor/      looks at an installation and says what to fix
service      lease, duty and API put together
orders       what signals and the time limit tell the service; `reload` reads settings anew
log_lines    the service's own log, a line of text each
screen       tables and lines in the terminal; `incident_screen` shows one incident
incident_query  from the options of a list to its filter
people       who types
login_link   links that log into the page
failures     from errors to messages and exit statuses
simulation/  traffic with attacks, and the truth about it
evaluation/  findings against the truth; `tuning/` sweeps, compares and draws for notebooks
backtest/    what other settings would have made of a log; `suggestions/` settings from labels
explain/     why there was or was no incident; `coverage/` what a log lets detectors see
"""

__version__ = "0.1.0"
