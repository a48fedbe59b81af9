"""Lines read by the regular expressions of a pattern."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.fields import events_of
from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.formats.pieces import TIMES, Expressions
from ingest.formats.strftime import iso_times
from ingest.formats.texts import texts
from ingest.lines import Ints, Lines

_QUOTED: Final = ("request", "uri", "path", "query", "user_agent", "referrer", "user")


def text_format(name: str, title: str, patterns: tuple[Expressions, ...]) -> Format:
    """Return the format whose lines match one of the patterns, tried in their order.

    The strict expressions of all go before the loose ones, which may take what others say better.
    """
    if len(patterns) > 1:
        levels = range(max(len(pattern.stages) for pattern in patterns))
        patterns = tuple(
            replace(pattern, stages=pattern.stages[level : level + 1])
            for level in levels
            for pattern in patterns
            if level < len(pattern.stages)
        )

    def parse(lines: Lines, reading: Reading) -> pl.DataFrame:
        return parse_lines(lines, reading, patterns)

    starts = [pattern.starts for pattern in patterns]
    return Format(name, title, parse, claims, b"".join(starts) if all(starts) else b"")


def claims(lines: Lines, parsed: pl.DataFrame) -> int:  # noqa: ARG001
    """Count the lines with a time: the patterns hold whole lines, so little else can."""
    return parsed.height - parsed["timestamp"].null_count()


def parse_lines(lines: Lines, reading: Reading, patterns: tuple[Expressions, ...]) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line."""
    patterns = tuple(each for each in patterns if each.needle.encode() in lines.data)
    if not patterns:
        return nothing_parsed()
    text = texts(lines)
    rows: Ints = np.arange(len(lines))
    frames = []
    escaped = b'\\"' in lines.data
    for pattern in patterns:
        if not len(rows):
            break
        matches = _matches(text, pattern)
        if matches is None:
            continue
        found, kept = matches
        fields = _completed(found, pattern.forms, reading.timezone, escaped=escaped)
        frames.append(events_of(fields, reading, rows[kept]))
        left = np.ones(len(rows), dtype=np.bool_)
        left[kept] = False
        text, rows = text.filter(pl.Series(left)), rows[left]
    if not frames:
        return nothing_parsed()
    return frames[0] if len(frames) == 1 else pl.concat(frames).sort("line")


def _matches(text: pl.Series, pattern: Expressions) -> tuple[pl.DataFrame, Ints] | None:
    """Return (fields as text, index of each row's text), ordered; None if nothing matches."""
    found = list(_by_stages(text, pattern))
    if len(found) <= 1:
        return found[0] if found else None
    names = sorted(pattern.fields)
    merged = pl.concat([frame.select(names) for frame, _ in found])
    kept = np.concatenate([rows for _, rows in found])
    order = np.argsort(kept, kind="stable")
    return merged[order], kept[order]


def _by_stages(text: pl.Series, pattern: Expressions) -> Iterator[tuple[pl.DataFrame, Ints]]:
    rows: Ints = np.arange(len(text))
    if pattern.needle:
        likely = text.str.contains(pattern.needle, literal=True)
        text, rows = text.filter(likely), rows[likely.to_numpy()]
    needed = next(name for name in TIMES if name in pattern.fields)
    for stage in pattern.stages:
        if not len(rows):
            return
        found = text.str.extract_groups(stage).struct.unnest()
        good = found[needed].is_not_null()
        if good.all():
            yield found, rows
            return
        if good.any():
            yield found.filter(good), rows[good.to_numpy()]
            text, rows = text.filter(~good), rows[~good.to_numpy()]


def _completed(
    fields: pl.DataFrame, forms: Mapping[str, str], timezone: str, *, escaped: bool
) -> pl.DataFrame:
    r"""Return the fields with `\"` undone, times in a form of their own read, and a client.

    Where no peer is logged, the list of X-Forwarded-For stands for it: its last address is the
    peer that the proxy itself added.
    """
    times = [iso_times(fields[name], form, timezone).alias(name) for name, form in forms.items()]
    fields = fields.with_columns(times)
    if escaped:
        quoted = [name for name in _QUOTED if name in fields.columns]
        fields = fields.with_columns(pl.col(quoted).str.replace_all('\\"', '"', literal=True))
    if "client_ip" not in fields.columns and "forwarded_for" in fields.columns:
        fields = fields.rename({"forwarded_for": "client_ip"})
    return fields
