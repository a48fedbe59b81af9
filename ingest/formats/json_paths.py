"""Where a name may be in an object, and how Polars reads all places in few passes.

A name with dots is a key of that very name, or keys inside one another, however it is cut:
`http.request.method`, `http` holding `request.method`, and so on. A last part `0` means the
first item of a list, `*` all of them with ", " between. An object is no value: only what is
inside it can be.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from ingest.formats.json_keys import Keys

#: A key that no object has: a struct of nothing else tells objects from other values.
_NOTHING: Final = "\x00"


@dataclass(frozen=True, slots=True)
class Path:
    """One place where a name's value may be: keys from the outside in, "0" or "*" of a list."""

    name: str
    keys: tuple[str, ...]
    items: str = ""

    def within(self, keys: Keys) -> bool:
        """Whether a block with these keys can have a value here."""
        last = self.keys[-1]
        ends = keys.lists if self.items else keys.scalars | keys.lists
        return last in ends and all(key in keys.objects for key in self.keys[:-1])


@lru_cache(maxsize=1024)
def paths_of(name: str) -> tuple[Path, ...]:
    """Return the places of a name, keys with the most dots first."""
    listed, _, last = name.rpartition(".")
    found = [] if last == "*" else [Path(name, keys) for keys in _cuts(name)]
    if listed and last in {"0", "*"}:
        found += [Path(name, keys, last) for keys in _cuts(listed)]
    return tuple(found)


def _cuts(name: str) -> Iterator[tuple[str, ...]]:
    yield (name,)
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:length])
        for rest in _cuts(".".join(parts[length:])):
            yield (head, *rest)


class _Pass:
    """What one reading takes: at each key a text, a list, or an object with further keys."""

    def __init__(self) -> None:
        self.inside: dict[str, _Pass] = {}
        self.ends: dict[str, pl.DataType] = {}

    def add(self, keys: Sequence[str], end: pl.DataType) -> bool:
        """Take a path too, unless one of its keys is already read as something else."""
        key, *rest = keys
        if not rest:
            return key not in self.inside and self.ends.setdefault(key, end) == end
        return key not in self.ends and self.inside.setdefault(key, _Pass()).add(rest, end)

    def schema(self) -> dict[str, pl.DataType]:
        structs = {key: pl.Struct(below.schema()) for key, below in self.inside.items()}
        return {**structs, **self.ends}


def read_paths(
    read: Callable[[dict[str, pl.DataType]], pl.DataFrame | None], paths: Iterable[Path], keys: Keys
) -> pl.DataFrame | None:
    """Return a text column for each name that has a path; None if `read` gives None.

    `read` returns the lines in a schema, values of other types null. `keys` are those of the
    lines. Where a name has several values, its first path counts.
    """
    paths = list(paths)
    guarded = {path for path in paths if not path.items and path.keys[-1] in keys.objects}
    first = _Pass()
    for path in guarded:
        first.add((*path.keys, _NOTHING), pl.String())
    values: dict[Path, pl.Series] = {}
    left = sorted(paths, key=lambda path: (-len(path.keys), not path.items))
    objects: dict[Path, pl.Series] = {}
    current, table = first, None
    while left or table is None:
        taken = [path for path in left if current.add(path.keys, _end(path))]
        table = read(current.schema() or {_NOTHING: pl.String()})
        if table is None:
            return None
        if current is first:
            objects = {path: _series(table, path.keys).is_not_null() for path in guarded}
        values |= {path: _value(table, path) for path in taken}
        left = [path for path in left if path not in values and not _all(objects.get(path))]
        current = _Pass()
    for path in guarded & values.keys():
        values[path] = values[path].set(objects[path], None)
    return _by_name(paths, values, table.height)


def _end(path: Path) -> pl.DataType:
    return pl.List(pl.String()) if path.items else pl.String()


def _all(flags: pl.Series | None) -> bool:
    return flags is not None and bool(flags.all())


def _series(table: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    top, *rest = keys
    series = table[top]
    for key in rest:
        series = series.struct.field(key)
    return series


def _value(table: pl.DataFrame, path: Path) -> pl.Series:
    series = _series(table, path.keys)
    if not path.items:
        return series
    return series.list.first() if path.items == "0" else series.list.join(", ")


def _by_name(paths: Sequence[Path], values: dict[Path, pl.Series], height: int) -> pl.DataFrame:
    columns: dict[str, list[pl.Series]] = {}
    for path in paths:
        if path in values:
            columns.setdefault(path.name, []).append(values[path])
    merged = [
        (several[0] if len(several) == 1 else pl.select(pl.coalesce(several)).to_series()).rename(
            name
        )
        for name, several in columns.items()
    ]
    return pl.DataFrame(merged, height=height) if merged else pl.DataFrame(height=height)
