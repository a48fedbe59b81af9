"""What logs are wrapped in on their way here: syslog, containers, shippers.

cri        container logs of Kubernetes
syslog     RFC 3164 and RFC 5424
otlp       OpenTelemetry logs: one record, many lines
envelopes  JSON that holds the line as text: Docker, Fluent Bit, Vector, Filebeat, journald
quoted     a line as JSON text
ignored    lines that a source is told to ignore
labels     service and environment, out of what these say
objects    JSON objects into columns
peeling    what a wrapper is; `unwrapping` takes off layer by layer
"""

from collections.abc import Collection
from typing import Final

from ingest.lines import Flags, Lines
from ingest.wrappers import cri, envelopes, otlp, quoted, syslog
from ingest.wrappers.peeling import Wrapper
from ingest.wrappers.unwrapping import Unwrapped, unwrap_with

#: In this order: the first that can open a line does.
WRAPPERS: Final[dict[str, Wrapper]] = {
    wrapper.name: wrapper
    for wrapper in (
        cri.WRAPPER,
        syslog.WRAPPER,
        otlp.WRAPPER,
        envelopes.WRAPPER,
        quoted.WRAPPER,
    )
}


def unwrap(lines: Lines, own: Collection[str] = ()) -> Unwrapped:
    """Take lines out of what they are wrapped in; lines that are not wrapped pass unchanged.

    `own` are top-level JSON fields that only requests have, besides `envelopes.REQUEST_FIELDS`:
    those that a source's mapping names for method, request, uri, path and status, not those for
    time or service, which envelopes have, too. Never raises because of what lines hold. If
    nothing is wrapped, `lines` is returned itself.

    Telling JSON envelopes from JSON access logs takes a look at every byte. What the JSON format
    reads as a request with method or status is never an envelope: whoever has parsed lines
    already need only unwrap the others.
    """
    if not own:
        return unwrap_with(lines, tuple(WRAPPERS.values()))
    mapped = {**WRAPPERS, envelopes.WRAPPER.name: envelopes.wrapper(own)}
    return unwrap_with(lines, tuple(mapped.values()))


def holds_many(lines: Lines) -> Flags:
    """Mark lines that hold many lines each: the limit of a line's length is not theirs."""
    return otlp.begins(lines)


__all__ = ["WRAPPERS", "Unwrapped", "Wrapper", "holds_many", "unwrap"]
