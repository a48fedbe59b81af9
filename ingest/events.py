"""The event table: one normalised request a row, and the batch that carries it to the detectors."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

UTC_TIME: Final = pl.Datetime("us", "UTC")

#: Columns of an event (ECS meanings, short names). Missing is null, never a guess.
EVENT_SCHEMA: Final = pl.Schema(
    {
        "timestamp": UTC_TIME,  # completion of the request
        "service": pl.String(),
        "environment": pl.String(),
        "client_ip": pl.String(),
        "client_network": pl.String(),  # the client's /24 or /64
        "user": pl.String(),
        "api_key": pl.String(),  # keyed hash, never the key
        "method": pl.String(),
        "scheme": pl.String(),
        "host": pl.String(),
        "path": pl.String(),
        "query": pl.String(),  # without the question mark
        "route": pl.String(),  # "service METHOD /path/{id}", without the service if there is none
        "status": pl.Int64(),
        "request_bytes": pl.Int64(),
        "response_bytes": pl.Int64(),
        "duration_us": pl.Int64(),
        "user_agent": pl.String(),
        "referrer": pl.String(),
        "protocol": pl.String(),
        "request_id": pl.String(),
        "country": pl.String(),  # ISO 3166-1 alpha-2
        "city": pl.String(),
        "location": pl.String(),  # "latitude,longitude,radius": degrees and km (ingest.location)
        "asn": pl.Int64(),
        "anonymous": pl.String(),  # tor, vpn, proxy, hosting..., the most telling
        "request_raw": pl.String(),  # only when the request line itself is unreadable
        "partition": pl.String(),
        "position": pl.Int64(),  # byte offset in a file, offset in a topic
    }
)

#: What the time rules add for the detectors; never leaves memory.
TIME_SCHEMA: Final = pl.Schema(
    {
        "effective_time": UTC_TIME,  # decides the pane
        "windowed": pl.Boolean(),  # false: moved by more than 60 s, counts only without a window
    }
)

#: Events with all that the detectors need. `edge`: seen where clients arrive, not behind it.
BATCH_SCHEMA: Final = pl.Schema({**EVENT_SCHEMA, **TIME_SCHEMA, "edge": pl.Boolean()})


#: Lines of a partition within one slot of 10 s, or a tick. Rows of the same slot add up.
READING_SCHEMA: Final = pl.Schema(
    {
        "partition": pl.String(),
        "tick": pl.Boolean(),  # time passed without anything new; no lines
        "first": pl.Int64(),  # the partition's time (us since 1970) at the first of the lines
        "last": pl.Int64(),  # and at the last of them; both in one slot
        "events": pl.Int64(),  # accepted lines
        "late": pl.Int64(),  # of these: moved by more than 60 s
        "future": pl.Int64(),  # lines quarantined as `future`
        "unread": pl.Int64(),  # lines quarantined for any other reason
    }
)


def no_readings() -> pl.DataFrame:
    """Return a frame of READING_SCHEMA without rows."""
    return pl.DataFrame(schema=READING_SCHEMA)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events ready for the detectors, and how far event time is complete after them.

    `events` has the columns of BATCH_SCHEMA, in the order of positions within each partition.
    `watermark` is in microseconds since 1970 (UTC), over all partitions; None while some
    partition has not begun. `readings` (READING_SCHEMA) say how partitions fare, up to here.
    """

    events: pl.DataFrame
    watermark: int | None
    readings: pl.DataFrame = field(default_factory=no_readings)


def no_events() -> pl.DataFrame:
    """Return a frame of BATCH_SCHEMA without rows."""
    return pl.DataFrame(schema=BATCH_SCHEMA)
