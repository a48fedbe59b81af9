"""Bare: the plainest fast way to read a combined log, as a yardstick.

Chunked read and one Polars regex for the same fields on one thread, casts and times included,
nothing else. Prints JSON: lines, seconds, lines_per_second, peak_rss_mb.
Usage: python bench/bare.py access.log
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
LINE = (
    r'^(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) '
    r'(?P<path>[^ ?"]*)(?:\?(?P<query>[^ "]*))? (?P<protocol>[^"]*)" (?P<status>\d{3}) '
    r'(?P<bytes>\d+|-) "(?P<referrer>[^"]*)" "(?P<user_agent>[^"]*)"'
)


def chunks(path: Path) -> Iterator[bytes]:
    carry = b""
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            cut = block.rfind(b"\n") + 1
            yield carry + block[:cut]
            carry = block[cut:]
    if carry:
        yield carry


def extract(data: bytes) -> pl.DataFrame:
    lines = pl.read_csv(
        data,
        separator="\x01",
        quote_char=None,
        has_header=False,
        infer_schema=False,
        schema={"line": pl.String},
    )["line"]
    fields = lines.str.extract_groups(LINE).struct.unnest()
    return fields.with_columns(
        pl.col("status", "bytes").cast(pl.Int64, strict=False),
        pl.col("time").str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", strict=False),
    )


def main(path: Path) -> None:
    start = time.perf_counter()
    lines = sum(extract(chunk).height for chunk in chunks(path))
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
