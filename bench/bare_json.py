"""Bare: the plainest fast way to read JSON lines, as a yardstick.

Chunked read and one Polars NDJSON read of the log's own fields as texts and integers on one
thread, nothing else: no times, no addresses, no line that is refused. Prints JSON: lines,
seconds, lines_per_second, peak_rss_mb.
Usage: python bench/bare_json.py access.json
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # before the import: the pool is made then

import polars as pl

CHUNK = 8 << 20


def chunks(path: Path) -> Iterator[bytes]:
    carry = b""
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            cut = block.rfind(b"\n") + 1
            yield carry + block[:cut]
            carry = block[cut:]
    if carry:
        yield carry


def schema_of(path: Path) -> dict[str, type[pl.DataType]]:
    """Return the fields of the first line: integers as such, all others as text."""
    with path.open("rb") as stream:
        first = json.loads(stream.readline())
    return {
        name: pl.Int64 if isinstance(value, int) and not isinstance(value, bool) else pl.String
        for name, value in first.items()
    }


def main(path: Path) -> None:
    start = time.perf_counter()
    schema = schema_of(path)
    lines = sum(pl.read_ndjson(chunk, schema=schema).height for chunk in chunks(path))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "lines": lines,
        "seconds": round(seconds, 3),
        "lines_per_second": round(lines / seconds),
        "peak_rss_mb": round(peak),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
