"""The program: command line, settings, and the wiring of ingest, detectors, alerts and api.

cli          the command line: one thin function a command
commands/    what each command does
settings     one TOML file plus VEDETTE_ environment
folders      where state lives when nobody says otherwise
scan         files in, findings out, once
worker       the service: sources in, incidents stored and told
screen       tables and lines in the terminal
simulation/  traffic with attacks, and the truth about it
"""

__version__ = "0.1.0"
