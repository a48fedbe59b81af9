"""The command line. Each command imports what it needs when it runs, so that --help is quick.

program     the program, and the order of its commands
service     set the service up, run it, look after it: init, run, login, doctor
logs        read logs once: scan, normalise, evaluate, learn, train
trials      traffic made up: demo, produce, simulate
tuning      back-tests, sweeps, suggestions
explain     why something was found or not, and what cannot be seen
incidents   vedette incidents; keys, notify, quarantine, rules and silences likewise
stored      what is stored beside incidents: endpoints, erase
options     options that several commands have; matching says which incidents are meant
"""

from vedette.cli.program import cli

__all__ = ["cli"]
