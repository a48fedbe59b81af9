"""From records to events: unwrapped, parsed, enriched; what is none is set aside with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from ingest.clients import ClientAddresses
from ingest.enrichment import Enrichment
from ingest.events import EVENT_SCHEMA
from ingest.formats import FORMATS, Format, compile_pattern
from ingest.formats.directives import directives
from ingest.formats.mixed import read_mixed
from ingest.formats.parsed import Reading
from ingest.lines import LAST_ASCII, Flags, Ints, Lines
from ingest.parts import Parts
from ingest.quarantine import Reason
from ingest.records import Records
from ingest.routes import routes
from ingest.sources import Source
from ingest.wrappers import holds_many, unwrap
from ingest.wrappers.ignored import ignored

_CONTROL: Final = np.ones(256, dtype=np.bool_)
_CONTROL[32:127] = False
_CONTROL[128:] = False
_CONTROL[[9, 10, 13]] = False


#: Mapped to a field of a JSON object, these say that it is a request and no envelope of one.
_REQUEST_COLUMNS: Final = ("method", "request", "uri", "path", "status")

#: What only geo data know.
_BY_GEO_DATA: Final = ("city", "location", "anonymous")


@dataclass(frozen=True)
class Reject:
    """Lines that are no events, for one reason; `lines` is None where only positions are known."""

    reason: Reason
    positions: Ints
    lines: Lines | None = None


@dataclass(frozen=True)
class Read:
    """What became of some records: lines == events + rejected + blank + ignored.

    `parts` is what joining parts remembers behind them, where that was read ahead, too.
    """

    events: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    blank: int = 0
    ignored: int = 0
    lines: int = 0
    parts: Parts | None = None


def joined(parts: Sequence[Read]) -> Read:
    """Return what became of records that were read in parts, in their order."""
    if len(parts) == 1:
        return parts[0]
    return Read(
        pl.concat([part.events for part in parts]),
        tuple(reject for part in parts for reject in part.rejects),
        sum(part.blank for part in parts),
        sum(part.ignored for part in parts),
        sum(part.lines for part in parts),
    )


@dataclass
class _Account:
    """Lines taken out of the stream before they are parsed."""

    blank: int = 0
    ignored: int = 0
    lines: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, reason: Reason, positions: Ints, lines: Lines | None) -> None:
        if len(positions):
            self.rejects.append(Reject(reason, positions, lines))
            self.lines += len(positions)


class Normaliser:
    """Turns the records of one partition into events of EVENT_SCHEMA, in order of position.

    What a line becomes depends on the line, the source's settings, the enrichment and the format
    that was detected; never on other lines. Nothing is changed by reading, so that threads may
    read ahead.
    """

    def __init__(self, source: Source, partition: str, enrichment: Enrichment) -> None:
        self._source = source
        self._partition = partition
        self._enrichment = enrichment
        self._clients = ClientAddresses(source.trusted_proxies)
        pattern = source.pattern
        self._pattern = None if pattern is None else compile_pattern(source.format, pattern)
        self._own = frozenset(
            source.mapping[column].partition(".")[0]
            for column in _REQUEST_COLUMNS
            if column in source.mapping
        )

    def read(self, records: Records, detected: str | None) -> Read:
        """Return events, all with a time, and what was set aside."""
        account = _Account()
        account.reject("too_long", np.asarray(records.too_long, dtype=np.int64), None)
        account.reject("partial", np.asarray(records.partial, dtype=np.int64), None)
        lines, positions, labels = self._payloads(records, account)
        directive = self._source.fields or records.directive
        reading = Reading(self._source.mapping, self._source.timezone, directive)
        parsed = read_mixed(lines, reading, self.format(detected), self._others())
        account.lines += len(lines)
        timed = parsed["timestamp"].is_not_null()
        timeless = parsed["line"].filter(~timed).to_numpy()
        parsed = parsed.filter(timed) if len(timeless) else parsed
        index = parsed["line"].to_numpy()
        if len(index) < len(lines):
            self._set_aside(lines, positions, index, timeless, account)
        if labels is not None:
            parsed = _labelled(parsed, labels[index])
        events = self._events(parsed, positions[index])
        return Read(events, tuple(account.rejects), account.blank, account.ignored, account.lines)

    def payloads(self, lines: Lines) -> Lines:
        """Return what formats see of raw lines: for the detection of the format."""
        return self._payloads(Records(lines, lines.starts), _Account())[0]

    def format(self, detected: str | None) -> Format | None:
        """Return the format that is tried first: the one set, else the one detected."""
        if self._pattern is not None:
            return self._pattern
        name = detected if self._source.format == "auto" else self._source.format
        return FORMATS.get(name) if name else None

    def _others(self) -> tuple[Format, ...]:
        """Return the formats for lines that the first one left: none if one is set."""
        if self._source.format != "auto" or self._source.mapping:
            return ()
        return tuple(FORMATS.values())

    def _set_aside(
        self, lines: Lines, positions: Ints, read: Ints, timeless: Ints, account: _Account
    ) -> None:
        """Say why lines are no events. What can be read is never ignored: it may be an attack."""
        left = np.ones(len(lines), dtype=np.bool_)
        left[read] = False
        rest = np.flatnonzero(left)
        some = lines.select(rest)
        told = directives(some)
        if self._source.ignore:
            told = told | ignored(some, self._source.ignore)
        account.ignored += int(told.sum())
        left[rest[told]] = False
        late = timeless[left[timeless]]
        if len(late):
            account.rejects.append(Reject("no_time", positions[late], lines.select(late)))
            left[late] = False
        account.rejects += _unparsed(lines.select(left), positions[left])

    def _payloads(
        self, records: Records, account: _Account
    ) -> tuple[Lines, Ints, pl.DataFrame | None]:
        """Return what is to be parsed, positions, and what envelopes said; count the rest."""
        lines, positions = records.lines, records.positions
        long, blank = lines.too_long(), lines.blank()
        if long.any():
            long &= ~holds_many(lines)
        account.reject("too_long", positions[long], lines.select(long) if long.any() else None)
        if long.any() or blank.any():
            account.blank += int(blank.sum())
            account.lines += int(blank.sum())
            keep = ~(long | blank)
            lines, positions = lines.select(keep), positions[keep]
        unwrapped = unwrap(lines, self._own)
        if unwrapped.lines is lines:
            return self._relevant(lines, positions, None, account)
        part = unwrapped.partial
        account.reject("partial", positions[part], lines.select(part))
        hollow = np.ones(len(lines), dtype=np.bool_)
        hollow[unwrapped.origin] = False
        hollow[part] = False
        account.reject("unparsed", positions[hollow], lines.select(hollow))
        inner = unwrapped.lines
        return self._relevant(inner, positions[unwrapped.origin], unwrapped.labels, account)

    def _relevant(
        self, lines: Lines, positions: Ints, labels: pl.DataFrame | None, account: _Account
    ) -> tuple[Lines, Ints, pl.DataFrame | None]:
        """Leave out payloads that are blank or too long."""
        blank, long = lines.blank(), lines.too_long()
        if not (blank.any() or long.any()):
            return lines, positions, labels
        account.reject("too_long", positions[long], lines.select(long))
        account.blank += int(blank.sum())
        account.lines += int(blank.sum())
        keep = ~(blank | long)
        kept = None if labels is None else labels.filter(keep)
        return lines.select(keep), positions[keep], kept

    def _events(self, parsed: pl.DataFrame, positions: Ints) -> pl.DataFrame:
        source, shared = self._source, self._enrichment
        address, network = self._clients.columns(parsed)
        service = parsed["service"]
        if source.service is not None:
            service = service.fill_null(source.service)
        named = service.null_count() < parsed.height
        template = shared.routes.of(parsed["path"], service)
        events = parsed.with_columns(
            service,
            pl.coalesce("environment", pl.lit(source.environment, dtype=pl.String)),
            address.alias("client_ip"),
            network.alias("client_network"),
            routes(pl.lit(service) if named else None, pl.col("method"), pl.lit(template)).alias(
                "route"
            ),
            pl.lit(self._partition).alias("partition"),
            pl.Series("position", positions),
            *self._places(parsed, address),
        )
        events = events.with_columns(self._api_keys(events["api_key"]))
        if shared.pseudonyms is not None:
            events = shared.pseudonyms.apply(events)
        return events.select(EVENT_SCHEMA.names())

    def _places(self, parsed: pl.DataFrame, address: pl.Series) -> list[pl.Series]:
        """Return what is known of where clients are; the log's own where we know nothing."""
        geo = self._enrichment.geo
        if geo is None:
            unknown = [_nothing(name, parsed.height) for name in _BY_GEO_DATA]
            return [parsed["country"], parsed["asn"], *unknown]
        known = geo.columns(address)
        return [
            known["country"].fill_null(parsed["country"]),
            known["asn"].fill_null(parsed["asn"]),
            *(known[name] for name in _BY_GEO_DATA),
        ]

    def _api_keys(self, keys: pl.Series) -> pl.Series:
        """Return keyed hashes of API keys; without a key of our own, none."""
        if self._enrichment.pseudonyms is not None:
            return self._enrichment.pseudonyms.api_keys(keys).rename("api_key")
        return _nothing("api_key", len(keys))


def _nothing(name: str, height: int) -> pl.Series:
    return pl.Series(name, [None], dtype=pl.String).new_from_index(0, height)


def _labelled(parsed: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Let what an envelope said fill what the lines did not say."""
    return parsed.with_columns(
        parsed[name].fill_null(labels[name]).alias(name) for name in ("service", "environment")
    )


def _unparsed(lines: Lines, positions: Ints) -> list[Reject]:
    if not len(lines):
        return []
    binary = lines.containing(np.flatnonzero(_CONTROL[lines.codes]))
    beyond = lines.containing(np.flatnonzero(lines.codes > LAST_ASCII))
    for index in np.flatnonzero(~binary & beyond):
        binary[index] = not Lines.of(lines[int(index)]).text()
    found: list[tuple[Reason, Flags]] = [("unparsed", ~binary), ("not_text", binary)]
    return [Reject(why, positions[at], lines.select(at)) for why, at in found if at.any()]
