"""Ingest alone: a log into events, nothing detected. Prints what bench/bare.py prints."""

import sys

from ingest.reader import LogReader
from ingest.sources import FileSource


def main() -> None:
    reader = LogReader([FileSource(paths=(sys.argv[1],))])
    events = sum(batch.events.height for batch in reader.batches())
    print(f"{reader.tally.lines} lines, {events} events")


if __name__ == "__main__":
    main()
