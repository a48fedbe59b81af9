"""How many attack payloads, and how many innocent values, the injection rules find.

    python -m bench.payloads payload_train.csv

The file is one of the HttpParams data set: columns `payload` and `attack_type` (norm, sqli, xss,
cmdi, path-traversal). Each value is sent as a query parameter, encoded as a browser would, by a
client of its own, in a line of a combined log that is read and judged as any other. Two halves
are shown, split by a checksum of the value: rules were written with the first in sight only.
"""

import argparse
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final
from urllib.parse import quote

import polars as pl
from rich.console import Console
from rich.table import Table

from detectors.catalogue import Catalogue, load_catalogue
from detectors.kernel import RuleKernel
from ingest.reader import LogReader
from ingest.sources import FileSource

#: The rules that look at payloads, and the class of the data set that each is for.
RULES: Final = {
    "sql_injection": "sqli",
    "cross_site_scripting": "xss",
    "path_traversal": "path-traversal",
    "command_injection": "cmdi",
    "server_side_request_forgery": None,
    "log4shell": None,
}

_FIRST_CLIENT: Final = int(IPv6Address("2001:db8::"))
_START: Final = datetime(2026, 11, 2, tzinfo=UTC)

#: What encodeURIComponent leaves as it is.
_UNTOUCHED: Final = "!'()*-._~"


def read_payloads(file: Path) -> pl.DataFrame:
    """Return `value` (String), `class` (String), `half` (1 or 2) and `client` (String)."""
    rows = pl.read_csv(file, infer_schema=False).with_columns(pl.col("payload").fill_null(""))
    values = rows["payload"].to_list()
    return pl.DataFrame(
        {
            "value": values,
            "class": rows["attack_type"],
            "half": [1 + zlib.crc32(value.encode()) % 2 for value in values],
            "client": [str(IPv6Address(_FIRST_CLIENT + number)) for number in range(len(values))],
        }
    )


def write_log(payloads: pl.DataFrame, log: Path) -> None:
    """Write one line for every payload, a second apart."""
    with log.open("w", encoding="utf-8") as lines:
        for number, (client, value) in enumerate(payloads.select("client", "value").iter_rows()):
            time = (_START + timedelta(seconds=number)).strftime("%d/%b/%Y:%H:%M:%S +0000")
            request = f"GET /search?q={quote(value, safe=_UNTOUCHED)} HTTP/1.1"
            lines.write(f'{client} - - [{time}] "{request}" 200 512 "-" "Mozilla/5.0"\n')


def found_in(log: Path) -> Iterator[tuple[str, str]]:
    """Yield each client and rule that are found, often more than once."""
    every = load_catalogue()
    chosen = tuple(rule for rule in every.rules if rule.name in RULES)
    kernel = RuleKernel(Catalogue(chosen, every.fingerprint))
    for batch in LogReader([FileSource(paths=(str(log),))]).batches():
        yield from ((f.entity, f.detector) for f in kernel.process(batch.events, batch.watermark))
    yield from ((f.entity, f.detector) for f in kernel.finish())


def judge(payloads: pl.DataFrame, found: Iterator[tuple[str, str]]) -> pl.DataFrame:
    """Return for each class and half how many payloads any rule found, and the rule for them."""
    hits = pl.DataFrame(list(found), schema=["client", "rule"], orient="row").unique()
    meant = pl.col("rule").replace_strict(RULES, return_dtype=pl.String)
    each = (
        payloads.join(hits, on="client", how="left")
        .group_by("client")
        .agg(
            pl.col("class", "half").first(),
            pl.col("rule").is_not_null().any().alias("any"),
            meant.eq(pl.col("class")).fill_null(value=False).any().alias("right"),
        )
    )
    return (
        each.group_by("class", "half")
        .agg(pl.len().alias("payloads"), pl.col("any", "right").sum())
        .sort("class", "half")
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.payloads", description=__doc__)
    parser.add_argument("file", type=Path)
    payloads = read_payloads(parser.parse_args().file)
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
        log = Path(folder) / "access.log"
        write_log(payloads, log)
        rows = judge(payloads, found_in(log))
    table = Table("class", "half", "payloads", "found %", "by the rule for them %")
    for kind, half, count, some, right in rows.iter_rows():
        table.add_row(kind, str(half), str(count), f"{some / count:.2%}", f"{right / count:.2%}")
    Console().print(table)


if __name__ == "__main__":
    main()
