"""Taking off wrappers, layer by layer: syslog inside Docker inside a shipper's envelope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Ints, Lines
from ingest.wrappers.peeling import LABELS_SCHEMA, NO_LINES, Peeled, Wrapper, lines_of

#: More layers than these are left on.
LAYERS: Final = 3


@dataclass(frozen=True)
class Unwrapped:
    """The lines that were inside, and where each came from.

    `origin` is for each payload line the index of the input line it came out of; it never
    decreases, and repeats where one line held several. `labels` has columns service and
    environment, one row a payload line (None: nothing was said). `partial` are input lines that
    hold a part of a line only, once for each such part: nothing is read from that part.
    """

    lines: Lines
    origin: Ints
    labels: pl.DataFrame | None
    partial: Ints


def unwrap_with(lines: Lines, wrappers: Sequence[Wrapper]) -> Unwrapped:
    """Take up to LAYERS layers off each line; lines that are not wrapped pass unchanged.

    What becomes of a line depends on that line only.
    """
    state = Unwrapped(lines, np.arange(len(lines)), None, NO_LINES)
    fresh = np.ones(len(lines), dtype=np.bool_)
    for _ in range(LAYERS):
        peeled = _layer(state.lines, fresh, wrappers)
        if not peeled:
            break
        state, fresh = _without(state, peeled)
    return state


def _layer(lines: Lines, fresh: Flags, wrappers: Sequence[Wrapper]) -> list[Peeled]:
    """Let the wrappers try the fresh lines; indices are those of `lines`."""
    found: list[Peeled] = []
    left = fresh.copy()
    for wrapper in wrappers:
        where = np.flatnonzero(left & wrapper.may_wrap(lines))
        if not len(where):
            continue
        chosen = lines if len(where) == len(lines) else lines.select(where)
        peeled = wrapper.peel(chosen)
        if len(peeled.origin) or len(peeled.partial):
            origin, partial = where[peeled.origin], where[peeled.partial]
            left[origin] = False
            left[partial] = False
            found.append(Peeled(origin, peeled.payloads, peeled.labels, partial))
    return found


def _without(state: Unwrapped, peeled: Sequence[Peeled]) -> tuple[Unwrapped, Flags]:
    """Return the state without a layer, and which of its lines have come out just now."""
    untouched = np.ones(len(state.lines), dtype=np.bool_)
    for layer in peeled:
        untouched[layer.origin] = False
        untouched[layer.partial] = False
    same = np.flatnonzero(untouched)
    parents = np.concatenate([*(layer.origin for layer in peeled), same])
    order = np.argsort(parents, kind="stable")
    parents = parents[order]
    lines = peeled[0].payloads
    if len(peeled) > 1 or len(same):
        taken = [layer.payloads for layer in peeled] + [state.lines.select(same)]
        texts = [part[index] for part in taken for index in range(len(part))]
        lines = lines_of([texts[index] for index in order.tolist()])
    partial = np.concatenate([layer.partial for layer in peeled])
    gone = np.sort(np.concatenate((state.partial, state.origin[partial])))
    labels = _merged(state.labels, peeled, parents, order, len(same))
    fresh = ~untouched[parents]
    return Unwrapped(lines, state.origin[parents], labels, gone), fresh


def _merged(
    outer: pl.DataFrame | None, peeled: Sequence[Peeled], parents: Ints, order: Ints, same: int
) -> pl.DataFrame | None:
    """Return the labels of all lines: what is said further inside goes first."""
    above = None if outer is None else outer[parents]
    if all(layer.labels is None for layer in peeled):
        return above
    frames = [
        _silent(len(layer.origin)) if layer.labels is None else layer.labels for layer in peeled
    ]
    inner = pl.concat([*frames, _silent(same)])[order]
    if above is None:
        return inner
    return pl.DataFrame(
        [
            pl.select(pl.coalesce(inner[name], above[name])).to_series().alias(name)
            for name in LABELS_SCHEMA
        ]
    )


def _silent(height: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.repeat(None, height, dtype=dtype, eager=True)
            for name, dtype in LABELS_SCHEMA.items()
        }
    )
