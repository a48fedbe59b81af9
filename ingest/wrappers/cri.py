"""CRI, the files of containerd and CRI-O: `2026-11-02T08:00:00.123456789Z stdout F the line`.

The runtime cuts long lines in parts and marks all but the last with P. `ingest.parts` joins those
of files and topics beforehand. Parts that come out of another wrapper cannot be joined, because
what becomes of a line here depends on that line only: they are counted as partial.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.lines import Flags, Ints, Lines
from ingest.wrappers.peeling import NOTHING, Peeled, Wrapper, behind, byte_at, heads

Texts = NDArray[np.object_]

_HEAD_LIMIT: Final = 128
_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9:]+)"
)
_HEAD: Final = rf"^{_TIME} std(?:out|err) [FP](?::[^ ]*)?(?: |$)"
_PART: Final = r"^[^ ]+ std(?:out|err) P"
_DASH, _T, _BLANK, _PARTIAL = b"-T P"
_TIME_WIDTHS: Final = range(20, 36)
_TO_FLAG: Final = len(" stdout ")


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that may begin with a date and a T."""
    flags: Flags = byte_at(lines, 4) == _DASH
    if flags.any():
        flags &= byte_at(lines, 10) == _T
    return flags


def peel(lines: Lines) -> Peeled:
    """Take the line out of each CRI line."""
    texts = heads(lines, _HEAD_LIMIT)
    rest = texts.str.replace(_HEAD, "")
    lengths = (texts.str.len_chars() - rest.str.len_chars()).to_numpy().astype(np.int64)
    found = np.flatnonzero(lengths)
    if not len(found):
        return NOTHING
    part = texts.str.contains(_PART).to_numpy()[found]
    partial, found = found[part], found[~part]
    return Peeled(found, behind(lines.select(found), lengths[found]), partial=partial)


def screen(lines: Lines) -> bool:
    """Whether there may be parts among lines of this format: looks at few bytes of each line."""
    if not lines.data:
        return False
    left = lines.starts[may_wrap(lines)]
    if not len(left):
        return False
    first = lines.data.find(b" ", int(left[0])) - int(left[0])
    codes, end = lines.codes, len(lines.data) - 1
    for width in (first, *_TIME_WIDTHS):  # mostly all are as wide as the first
        ends = codes[np.minimum(left + width, end)] == _BLANK
        if (codes[np.minimum(left[ends] + width + _TO_FLAG, end)] == _PARTIAL).any():
            return True
        left = left[~ends]
        if not len(left):
            return False
    return True  # oddly wide: to be looked at


def parts_of(lines: Lines) -> tuple[Ints, Texts, Flags, Ints]:
    """Look at the lines in this format, in order.

    Returns their indices, streams, whether each is a part but the last, and the lengths of what
    comes before their text.
    """
    where = np.flatnonzero(may_wrap(lines))
    texts = heads(lines.select(where), _HEAD_LIMIT)
    head = texts.str.extract(f"({_HEAD})", 1)
    known = head.is_not_null().to_numpy()
    where, head = where[known], head.filter(head.is_not_null())
    streams = head.str.extract(r" (std(?:out|err)) ", 1).to_numpy()
    return (
        where,
        streams,
        head.str.contains(_PART).to_numpy(),
        head.str.len_chars().to_numpy().astype(np.int64),
    )


WRAPPER: Final = Wrapper("cri", "Kubernetes container logs (CRI)", may_wrap, peel)
