"""The state of a table as plain frames: one for each hour of the week, one for what goes on."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.learned.spikes.baselines import Baselines
from detectors.learned.spikes.seasons import HOURS
from detectors.learned.spikes.table import Table
from detectors.learned.spikes.tails import Floats

VERSION: Final = 3

_TABLE_ARRAYS: Final = ("histogram", "edge")

#: What states of this version did not have at first: where it is missing, nothing is known of it.
ADDED: Final = frozenset(
    f"extremes.{name}" for name in ("far", "far_excess", "runs_far", "runs_far_excess")
)


def frames(
    name: str, table: Table, signature: str, before: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Return the parts of a table; what has not changed since `before` is the same object."""
    base = table.baselines
    rows = len(table.names)
    parts: dict[str, pl.DataFrame] = {}
    told = {
        "signature": signature,
        "next": table.next,
        "last_event": table.last_event,
        "ended": table.ended,
        "evicted": table.evicted,
        "beyond": table.beyond,
        "free": table.free,
        "hour": base.hour,
        "hour_began": base.hour_began,
        "rows": base.rows,
        "began": [hour.began for hour in base.seasons.hours],
    }
    head = pl.DataFrame({"told": [json.dumps(told, sort_keys=True)]})
    if f"{name}/head" in before and before[f"{name}/head"].equals(head):
        return {key: part for key, part in before.items() if key.startswith(f"{name}/")}
    parts[f"{name}/head"] = head
    parts[f"{name}/now"] = pl.DataFrame(
        [
            pl.Series("type", [key[0] for key in table.names], pl.String()),
            pl.Series("entity", [key[1] for key in table.names], pl.String()),
            pl.Series("last", table.last, pl.Int64()),
            *(_column(each, getattr(table, each)[:rows]) for each in _TABLE_ARRAYS),
            *(_column(name, array[:rows]) for name, array in _arrays(base)),
            _column("noise", base.seasons.noise[:rows]),
            _column("clump", base.seasons.clump[:rows]),
        ]
    )
    for at, hour in enumerate(base.seasons.hours):
        key = f"{name}/hour-{at:03}"
        if key in before and at not in base.seasons.changed:
            parts[key] = before[key]
            continue
        parts[key] = pl.DataFrame(
            [
                _column("counted", hour.counted[:rows]),
                _column("out_of", hour.out_of[:rows]),
                _column("visits", hour.visits[:rows]),
            ]
        )
    base.seasons.changed.clear()
    return parts


def taken(name: str, table: Table, signature: str, parts: Mapping[str, pl.DataFrame]) -> bool:
    """Give a new table the state of another; return whether it was of the same parameters."""
    wanted = [f"{name}/head", f"{name}/now", *(f"{name}/hour-{at:03}" for at in range(HOURS))]
    if not all(key in parts for key in wanted) or parts[wanted[0]].columns != ["told"]:
        return False
    told = json.loads(parts[wanted[0]]["told"][0])
    if told["signature"] != signature:
        return False
    base, now = table.baselines, parts[f"{name}/now"]
    arrays = {each for each, _ in _arrays(base)} | {*_TABLE_ARRAYS}
    if not arrays - ADDED <= set(now.columns):
        return False
    base.reserve(told["rows"])
    table.names = list(now.select("type", "entity").iter_rows())
    table.last = now["last"].to_list()
    table.fit()
    rows = len(table.names)
    ours = ((each, getattr(table, each)) for each in _TABLE_ARRAYS)
    for each, array in chain(ours, _arrays(base)):
        if each in now.columns:
            array[:rows] = now[each].to_numpy().reshape(rows, *array.shape[1:])
    base.seasons.noise[:rows] = _array(now["noise"], base.kinds)
    base.seasons.clump[:rows] = _array(now["clump"], base.kinds)
    for at, hour in enumerate(base.seasons.hours):
        part = parts[f"{name}/hour-{at:03}"]
        hour.counted[:rows] = _array(part["counted"], base.kinds)
        hour.out_of[:rows] = _array(part["out_of"], base.kinds)
        hour.visits[:rows] = part["visits"].to_numpy()
        hour.began = told["began"][at]
    base.seasons.touch(range(HOURS))
    base.hour, base.hour_began = told["hour"], told["hour_began"]
    table.next, table.last_event, table.ended = told["next"], told["last_event"], told["ended"]
    table.evicted, table.beyond, table.free = told["evicted"], told["beyond"], told["free"]
    free = set(table.free)
    table.row_of = {key: row for row, key in enumerate(table.names) if row not in free}
    for row, key in enumerate(table.names):
        table.type_of[row] = table.types.index(key[0])
    return True


def _arrays(base: Baselines) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the arrays of all series, by part and name."""
    for part, arrays in base.parts.items():
        for name, array in arrays.each():
            yield f"{part}.{name}", array


def _array(column: pl.Series, width: int) -> Floats:
    return np.asarray(column.to_numpy(), np.float64).reshape(len(column), width)


def _column(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> pl.Series:
    """Return an array as a column: its first axis is rows, the others are flattened."""
    if values.ndim == 1:
        return pl.Series(name, values)
    width = int(np.prod(values.shape[1:]))
    flat = values.reshape(len(values), width)
    return pl.Series(name, flat, pl.Array(pl.Series(flat[:0, 0]).dtype, width))
