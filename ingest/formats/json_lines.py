"""JSON lines: one object a line, with the field names of a known product or with any names.

Without a mapping the names of ECS and those common with nginx, Traefik and Caddy are tried. A
name with dots means a field of that very name, else a field inside objects; a last part 0 means
the first item of a list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from ingest.formats.fields import FIELDS, events_of
from ingest.formats.json_names import DEFAULT_NAMES
from ingest.formats.json_objects import may_occur, read_objects
from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.formats.texts import percent_decoded
from ingest.lines import Lines

#: What lines of JSON begin with: an object, blanks before it, or a byte order mark.
_STARTS: Final = b"{ \t\xef"

#: An object with none of these is no request.
_REQUEST: Final = ("method", "path", "status", "request_raw")

#: Texts that say that there is no value.
_NONE: Final = ["", "-", "null", "[]", "{}"]
_NONE_LENGTH: Final = max(map(len, _NONE))


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which names give which fields, by which names lines are told, what is percent-encoded."""

    names: Mapping[str, Sequence[str]]
    markers: Sequence[str]
    absent: Sequence[str]
    encoded: Sequence[str]


def json_format(
    name: str,
    title: str,
    names: Mapping[str, Sequence[str]],
    markers: Sequence[str] = (),
    *,
    absent: Sequence[str] = (),
    encoded: Sequence[str] = (),
) -> Format:
    """Return a format of JSON lines: `names` gives for columns of FIELDS the names to try in order.

    Lines in which one of the markers is absent or null, or in which one of the names in `absent`
    has a value, are of another format; objects without method, path, status and request are no
    requests: both have no row. The columns in `encoded` are percent-encoded. A mapping's names
    replace those of its columns. Raises ValueError for a column that is not in FIELDS.
    """
    unknown = sorted({*names, *encoded} - FIELDS)
    if unknown:
        raise ValueError(f"{name}: unknown columns: {', '.join(unknown)}")
    fixed = {column: tuple(several) for column, several in names.items()}

    def parse(lines: Lines, reading: Reading) -> pl.DataFrame:
        mapped = {column: (field,) for column, field in reading.mapping.items()}
        return _parse(lines, reading, _Shape({**fixed, **mapped}, markers, absent, encoded))

    general = not markers
    return Format(name, title, parse, claims, _STARTS, family="json", general=general)


def claims(lines: Lines, parsed: pl.DataFrame) -> int:  # noqa: ARG001
    """Count the requests that have a time."""
    return parsed.height - parsed["timestamp"].null_count()


def _parse(lines: Lines, reading: Reading, shape: _Shape) -> pl.DataFrame:
    markers = shape.markers
    if b"{" not in lines.data:
        return nothing_parsed()
    if not all(may_occur(marker, lines.data) for marker in markers):
        return nothing_parsed()
    wanted = {name for several in shape.names.values() for name in several}
    values, rows = read_objects(lines, wanted.union(markers, shape.absent))
    if not len(rows) or not set(markers) <= set(values.columns):
        return nothing_parsed()
    told = [pl.col(marker).is_not_null() for marker in markers]
    told += [pl.col(name).is_null() for name in shape.absent if name in values.columns]
    if told:
        marked = values.select(pl.all_horizontal(*told)).to_series()
        values, rows = values.filter(marked), rows[marked.to_numpy()]
    fields = _fields(values, shape.names)
    decoded = [percent_decoded(fields[name]) for name in shape.encoded if name in fields.columns]
    parsed = events_of(fields.with_columns(decoded), reading, rows, marked=False)
    if any(not parsed[name].null_count() for name in _REQUEST):
        return parsed
    return parsed.filter(pl.any_horizontal(pl.col(_REQUEST).is_not_null()))


def _fields(values: pl.DataFrame, names: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Return the columns of FIELDS that occur: of each row the first value that is one."""
    if not values.width:
        return values
    least = values.select(pl.all().str.len_bytes().min()).row(0, named=True)
    occurring = [name for name, length in least.items() if length is not None]
    if not occurring:
        return pl.DataFrame(height=values.height)
    short = [name for name in occurring if least[name] <= _NONE_LENGTH]
    empty = values.select(pl.col(short).is_in(_NONE).any()).row(0, named=True) if short else {}
    found = {
        name: pl.when(~pl.col(name).is_in(_NONE)).then(name) if empty.get(name) else pl.col(name)
        for name in occurring
    }
    columns = {
        column: [found[name] for name in several if name in found]
        for column, several in names.items()
    }
    return values.select(
        pl.coalesce(several).alias(column) for column, several in columns.items() if several
    )


FORMAT: Final = json_format("json", "JSON lines", DEFAULT_NAMES)
