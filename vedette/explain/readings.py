"""One line as it is read: which format takes it, what the others make of it, and every field."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ingest.enrichment import Enrichment
from ingest.events import BATCH_SCHEMA, EVENT_SCHEMA
from ingest.formats import FORMATS, Format
from ingest.formats.detection import detect_format
from ingest.formats.mixed import likely, read_mixed
from ingest.formats.parsed import Reading
from ingest.lines import LINE_LIMIT, Lines
from ingest.masking import mask_series, printable
from ingest.normalised import MASKED
from ingest.normalising import Normaliser
from ingest.pseudonyms import PREFIXES
from ingest.quarantine import REASONS
from ingest.records import Records
from ingest.sources import Source

#: What a single line is called that comes from no log.
LINE: Final = "line"

#: Columns that are worked out from others, and from which.
_FROM: Final[Mapping[str, str]] = {
    "client_network": "client_ip",
    "route": "method, path and the route templates",
    "country": "client_ip, by the geo data",
    "city": "client_ip, by the geo data",
    "location": "client_ip, by the geo data",
    "asn": "client_ip, by the geo data",
    "anonymous": "client_ip, by the geo data",
    "api_key": "the key in the line, as a keyed hash",
}
#: Where parsed columns hold the peer, and what proxies said.
_FORWARDED: Final = ("connecting_ip", "forwarded", "forwarded_for")
_LEFT_OUT: Final = frozenset({"partition", "position"})
_SHOWN_BYTES: Final = 3

#: A text that is no part of a longer word or number.
_ALONE: Final = r"(?<![\w.])%s(?![\w.])"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one format makes of the line: how many fields it reads, and why it is not the one."""

    name: str
    title: str
    fields: int
    why: str


@dataclass(frozen=True, slots=True)
class FieldRead:
    """A column of the event: its value, masked and printable, and where it comes from."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class LineRead:
    """What became of a line.

    `format` is the one that read it, None where none did; `reason` is then why it is no event, as
    the quarantine says. `others` are the other formats, those that read most of it first. `masks`
    say what of it is not kept as it is. `event` is one row of BATCH_SCHEMA, not masked, or none.
    """

    format: Candidate | None
    others: tuple[Candidate, ...]
    wrapped: bool
    reason: str
    fields: tuple[FieldRead, ...]
    missing: tuple[str, ...]
    masks: tuple[str, ...]
    event: pl.DataFrame


def read_line(line: bytes, source: Source, enrichment: Enrichment) -> LineRead:
    """Read one line as a source's settings say; it may hold anything."""
    raw = Lines.of(line.rstrip(b"\r\n") + b"\n")
    normaliser = Normaliser(source, LINE, enrichment)
    payload = normaliser.payloads(raw)
    payload = payload if len(payload) else raw
    text = payload[0]
    reading = Reading(source.mapping, source.timezone, source.fields)
    detected = _detected(text, source, reading)
    chosen = normaliser.format(detected)
    candidates = {name: _candidate(payload, FORMATS[name], reading) for name in FORMATS}
    read = normaliser.read(Records(raw, raw.starts), detected)
    others = () if source.format != "auto" or source.mapping else tuple(FORMATS.values())
    parsed = read_mixed(payload, reading, chosen, others)
    taken = _taken(parsed, payload, reading, chosen, others)
    best = None if taken is None else _of(taken, candidates, payload, reading)
    rest = [each for name, each in candidates.items() if best is None or name != best.name]
    event = _batch(read.events, source)
    fields = tuple(_fields(event, parsed, text, source)) if event.height else ()
    named = {each.name for each in fields}
    return LineRead(
        format=best,
        others=tuple(sorted(rest, key=lambda each: (each.fields == 0, -each.fields))),
        wrapped=text != raw[0],
        reason=_reason(read.rejects[0].reason if read.rejects else "", read.blank, read.ignored),
        fields=fields,
        missing=tuple(n for n in EVENT_SCHEMA if fields and n not in {*named, *_LEFT_OUT}),
        masks=tuple(_masks(event, parsed, enrichment)) if event.height else (),
        event=event,
    )


def _detected(text: bytes, source: Source, reading: Reading) -> str | None:
    if source.format != "auto" or source.mapping:
        return "json" if source.mapping else source.format
    return detect_format([text], reading).format


def _taken(
    parsed: pl.DataFrame,
    payload: Lines,
    reading: Reading,
    chosen: Format | None,
    others: tuple[Format, ...],
) -> Format | None:
    """Return the format whose reading of the line it is."""
    if parsed.is_empty():
        return None
    for each in (chosen, *others):
        if each is not None and each.parse(payload, reading).equals(parsed):
            return each
    return chosen


def _of(
    taken: Format, candidates: Mapping[str, Candidate], payload: Lines, reading: Reading
) -> Candidate:
    found = candidates.get(taken.name) or _candidate(payload, taken, reading)
    return Candidate(found.name, found.title, found.fields, "")


def _candidate(payload: Lines, entry: Format, reading: Reading) -> Candidate:
    """Try a format on the line."""
    if len(payload) and payload.lengths[0] > LINE_LIMIT:
        return Candidate(entry.name, entry.title, 0, "the line is too long for any format")
    if not likely(payload, entry).any():
        return Candidate(entry.name, entry.title, 0, _shape(payload, entry))
    parsed = entry.parse(payload, reading)
    if parsed.is_empty():
        return Candidate(entry.name, entry.title, 0, "its fields are not where they should be")
    count = sum(parsed[name].count() for name in parsed.columns if name != "line")
    if parsed["timestamp"].null_count():
        why = "no time that can be read"
    elif not entry.claims(payload, parsed):
        why = "reads it, but nothing says that it is of this kind"
    else:
        why = "fits, too; a more specific format, or the one that is set, goes first"
    return Candidate(entry.name, entry.title, count, why)


def _shape(payload: Lines, entry: Format) -> str:
    first = payload[0][:1]
    if entry.starts and first not in {entry.starts[n : n + 1] for n in range(len(entry.starts))}:
        return f"its lines begin with {_either(entry.starts)}"
    return f"its lines end with {_either(entry.ends)}"


def _either(codes: bytes) -> str:
    if len(codes) > _SHOWN_BYTES:
        return "other characters"
    return " or ".join(chr(code) for code in codes)


def _reason(reason: str, blank: int, ignored: int) -> str:
    if blank:
        return "the line is blank"
    if ignored:
        return "a directive, or a line that the settings ignore"
    known = {str(name): words for name, words in REASONS.items()}
    return f"{reason}: {known[reason]}" if reason else ""


def _batch(events: pl.DataFrame, source: Source) -> pl.DataFrame:
    return events.with_columns(
        effective_time="timestamp",
        windowed=pl.lit(value=True),
        edge=pl.lit(source.role == "edge"),
    ).select(BATCH_SCHEMA.names())


def _fields(
    event: pl.DataFrame, parsed: pl.DataFrame, text: bytes, source: Source
) -> Iterator[FieldRead]:
    """Yield the columns that have a value."""
    masked = event.with_columns(mask_series(event[name]).alias(name) for name in MASKED)
    line = text.decode(errors="replace")
    keys = dict(_keys(line))
    for name in EVENT_SCHEMA:
        value = event[name][0]
        if value is None or name in _LEFT_OUT:
            continue
        shown = masked[name][0]
        told = f"{shown:%Y-%m-%dT%H:%M:%S.%fZ}" if name == "timestamp" else printable(str(shown))
        yield FieldRead(name, told, _origin(name, parsed, line, keys, source))


def _origin(
    name: str, parsed: pl.DataFrame, line: str, keys: Mapping[str, str], source: Source
) -> str:
    """Return where the value of a column comes from."""
    if name == "client_ip":
        return _client(parsed, keys, line, source)
    raw = parsed[name][0] if name in parsed.columns else None
    if name in source.mapping and raw is not None:
        return f"the field {source.mapping[name]}, as the mapping says"
    if name in _FROM and not (raw is not None and name in {"country", "asn"}):
        return _FROM[name]
    if raw is None:
        setting = {"service": source.service, "environment": source.environment}.get(name)
        return "the settings of the source" if setting is not None else "an envelope of the line"
    if name == "timestamp":
        return "the line" if parsed["duration_us"][0] is None else "the line (completion)"
    return _place(str(raw), line, keys)


def _client(parsed: pl.DataFrame, keys: Mapping[str, str], line: str, source: Source) -> str:
    peer = parsed["client"][0]
    said = [name for name in _FORWARDED if parsed[name][0] is not None]
    if source.trusted_proxies and said:
        return f"{said[0]}, as far as trusted_proxies vouch for it"
    unused = f"; {said[0]} is not believed: no trusted_proxies" if said else ""
    return ("the peer, " + _place(str(peer), line, keys) if peer else "an envelope") + unused


def _place(value: str, line: str, keys: Mapping[str, str]) -> str:
    """Return where in the line a value stands: its key, or its columns."""
    same = [key for key, text in keys.items() if text == value]
    near = [key for key, text in keys.items() if value in text] if len(value) > 1 else []
    if same or near:
        return f"the key {printable((same or near)[0])}"
    at = [] if keys else [m.span() for m in re.finditer(_ALONE % re.escape(value), line)]
    return f"columns {at[0][0] + 1} to {at[0][1]}" if len(at) == 1 else "the line"


def _keys(line: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of a JSON object with their values as text; nothing for other lines."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        yield from _flat(found, "")


def _flat(found: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", str(value)


def _masks(event: pl.DataFrame, parsed: pl.DataFrame, enrichment: Enrichment) -> Iterator[str]:
    """Yield what of the event is not kept or shown as the line has it."""
    for name in MASKED:
        masked = mask_series(event[name])[0]
        if masked != event[name][0]:
            yield f"{name}: secrets in it are shown and kept as ***"
    if parsed["api_key"][0] is not None:
        kept = event["api_key"][0]
        yield "api_key: kept as a keyed hash" if kept else "api_key: not kept, there is no secret"
    if not enrichment.pseudonymises:
        return
    yield from (
        f"{name}: kept as a pseudonym"
        for name in ("user", "client_ip")
        if _is_pseudonym(event, name)
    )


def _is_pseudonym(event: pl.DataFrame, name: str) -> bool:
    return str(event[name][0]).startswith(f"{PREFIXES[name]}-")
