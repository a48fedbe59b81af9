"""The program: command line, settings, and the wiring of ingest, detectors, alerts and api.

cli          the command line: one thin function a command
commands/    what each command does
settings     one TOML file plus VEDETTE_ environment
folders      where state lives when nobody says otherwise
stores       which database a command uses
scan         files in, findings out, once
prefetch     an iterator that runs ahead in a thread
one_run      the secret of commands that read files once
replaying    quarantined lines once more, into the store if wanted
worker       the service's loop: sources in, incidents stored and told
service      worker, sender and API put together
screen       tables and lines in the terminal
failures     from errors to messages and exit statuses
simulation/  traffic with attacks, and the truth about it
"""

__version__ = "0.1.0"
