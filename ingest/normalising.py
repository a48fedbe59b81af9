"""From lines to events: parsed rows get networks, routes, and where they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from ingest.chunks import Chunk
from ingest.events import EVENT_SCHEMA
from ingest.formats import Format
from ingest.formats.parsed import Reading
from ingest.lines import LAST_ASCII, Ints, Lines
from ingest.networks import client_columns
from ingest.quarantine import Reason
from ingest.routes import route_templates, routes

_CONTROL: Final = np.ones(256, dtype=np.bool_)
_CONTROL[32:127] = False
_CONTROL[128:] = False
_CONTROL[[9, 10, 13]] = False


@dataclass(frozen=True)
class Read:
    """What became of a chunk: events, rejects (positions by reason), blank lines, all lines."""

    events: pl.DataFrame
    rejects: Mapping[Reason, tuple[int, ...]]
    blank: int
    lines: int


def read_chunk(
    chunk: Chunk,
    entry: Format | None,
    reading: Reading,
    *,
    partition: str,
    service: str | None,
    environment: str | None,
) -> Read:
    """Parse a chunk into events of EVENT_SCHEMA, all with a time, in order of position.

    Without a format (`entry` None) every line is a reject.
    """
    lines = Lines.of(chunk.data)
    total = len(lines) + len(chunk.too_long)
    long, blank = lines.too_long(), lines.blank()
    rejects: dict[Reason, tuple[int, ...]] = {}
    longest = [position for position, _ in chunk.too_long]
    longest += (lines.starts[long] + chunk.base).tolist()
    if longest:
        rejects["too_long"] = tuple(longest)
    if long.any() or blank.any():
        lines = lines.select(~(long | blank))
    parsed = None
    if entry is not None and len(lines):
        parsed = entry.parse(lines, reading)
    rejects |= _unparsed(lines, parsed, chunk.base)
    if parsed is None:
        events = pl.DataFrame(schema=EVENT_SCHEMA)
    else:
        timeless = parsed["timestamp"].is_null()
        if timeless.any():
            lost = lines.starts[parsed["line"].filter(timeless).to_numpy()] + chunk.base
            rejects["no_time"] = tuple(lost.tolist())
            parsed = parsed.filter(~timeless)
        positions = lines.starts[parsed["line"].to_numpy()] + chunk.base
        events = _events(parsed, positions, partition, service, environment)
    return Read(events, rejects, int(blank.sum()), total)


def _unparsed(
    lines: Lines, parsed: pl.DataFrame | None, base: int
) -> dict[Reason, tuple[int, ...]]:
    missing = np.ones(len(lines), dtype=np.bool_)
    if parsed is not None:
        missing[parsed["line"].to_numpy()] = False
    if not missing.any():
        return {}
    rest = lines.select(missing)
    binary = rest.containing(np.flatnonzero(_CONTROL[lines.codes]))
    for index in np.flatnonzero(
        ~binary & rest.containing(np.flatnonzero(lines.codes > LAST_ASCII))
    ):
        binary[index] = not Lines.of(rest[int(index)]).text()
    found: dict[Reason, Ints] = {
        "unparsed": rest.starts[~binary] + base,
        "not_text": rest.starts[binary] + base,
    }
    return {reason: tuple(at.tolist()) for reason, at in found.items() if len(at)}


def _events(
    parsed: pl.DataFrame,
    positions: Ints,
    partition: str,
    service: str | None,
    environment: str | None,
) -> pl.DataFrame:
    address, network = client_columns(parsed["client"])
    template = route_templates(parsed["path"])
    named = parsed["service"].null_count() < parsed.height
    given = pl.lit(service, dtype=pl.String)
    services = pl.coalesce("service", given) if named else given
    route = routes(services if named or service else None, pl.col("method"), pl.lit(template))
    events = parsed.with_columns(
        services.alias("service"),
        pl.coalesce("environment", pl.lit(environment, dtype=pl.String)).alias("environment"),
        address.alias("client_ip"),
        network.alias("client_network"),
        route.alias("route"),
        pl.lit(partition).alias("partition"),
        pl.Series("position", positions),
        *(pl.lit(None, EVENT_SCHEMA[name]).alias(name) for name in ("api_key",)),
    )
    return events.select(EVENT_SCHEMA.names())
