"""Snapshots of detector state: versioned plain data, no code, no clear text but entity names.

What has been counted lies in segments that never change, so a snapshot is a manifest, which says
where the windows stand and which segments they have, and the segments, in pieces known by their
content (SHA-256). A piece that was written for an earlier snapshot is not written again.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Self

import polars as pl

from detectors.aggregate import SCHEMAS, Sums

VERSION: Final = 3

#: The version before: one piece of bytes, all of a window merged into one segment.
_WHOLE: Final = 2

#: Bytes of a piece: few enough for whoever stores it to let others in between two.
PIECE_BYTES: Final = 1 << 20

_MAGIC: Final = b"VDTSNAP"


class SnapshotError(ValueError):
    """The bytes are not a snapshot that this program can read."""


@dataclass(frozen=True, slots=True)
class WindowState:
    """State of all series of one window: up to where panes are closed (us), and their sums.

    Panes up to `unsettled` were not judged while they were open.

    `series` gives the signature behind each number in the sums, `evicted` counts by number.
    `segments` are the sums, oldest first; added up they are all that was counted.
    """

    closed: int
    unsettled: int
    series: dict[int, str]
    evicted: dict[int, int]
    segments: tuple[Sums, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """A snapshot as bytes: the manifest, and the pieces that it names, by their SHA-256.

    `pieces` are those that the one before did not name; `size` is that of all that are named.
    """

    manifest: bytes
    pieces: Mapping[str, bytes]
    named: frozenset[str]
    size: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State at one point of the stream, by window (us).

    `others` is what detectors that are not rules keep: plain data by their name.
    """

    fingerprint: str
    windows: dict[int, WindowState]
    others: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def unpack(cls, manifest: bytes, pieces: Mapping[str, bytes]) -> Self:
        """Read what a Packer wrote, or version 2; raises SnapshotError for anything else.

        Of `pieces` those are used that the manifest names; each is held against its checksum.
        """
        try:
            header, *rest = _parts(manifest, _MAGIC)
            head = _header(header)
            segments = (
                _of_whole(rest)
                if head["version"] == _WHOLE
                else _of_pieces(head["windows"], pieces)
            )
            windows = {
                int(window["window"]): WindowState(
                    int(window["closed"]),
                    int(window["unsettled"]),
                    {int(number): str(signature) for number, signature in window["series"]},
                    {int(number): int(count) for number, count in window["evicted"]},
                    tuple(sums),
                )
                for window, sums in zip(head["windows"], segments, strict=True)
            }
            return cls(head["fingerprint"], windows, head["others"])
        except KeyError as error:
            raise SnapshotError(f"not a readable snapshot: {error} is missing") from error
        except (TypeError, ValueError, struct.error, pl.exceptions.PolarsError) as error:
            raise SnapshotError(f"not a readable snapshot: {error}") from error


def named(manifest: bytes) -> frozenset[str]:
    """Return the pieces that a manifest names; raises SnapshotError."""
    try:
        head = _header(_parts(manifest, _MAGIC)[0])
        if head["version"] == _WHOLE:
            return frozenset()
        return frozenset(
            key for window in head["windows"] for keys in window["segments"] for key in keys
        )
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise SnapshotError(f"not a readable manifest: {error}") from error


class Packer:
    """Turns the snapshots of one run into bytes; a segment that it knows is not packed again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Sums, tuple[str, ...]]] = {}
        self._sizes: dict[str, int] = {}

    def pack(self, snapshot: Snapshot) -> Packed:
        """Return a snapshot's manifest and the pieces that the last one did not name."""
        known: dict[int, tuple[Sums, tuple[str, ...]]] = {}
        fresh: dict[str, bytes] = {}
        for state in snapshot.windows.values():
            for sums in state.segments:
                keys = self._known[id(sums)][1] if id(sums) in self._known else None
                if keys is None:
                    pieces = list(_pieces(sums))
                    fresh.update(pieces)
                    keys = tuple(key for key, _ in pieces)
                known[id(sums)] = (sums, keys)  # held, so that its id is nobody else's
        self._known = known
        keys_of = {place: keys for place, (_, keys) in known.items()}
        header = {
            "version": VERSION,
            "fingerprint": snapshot.fingerprint,
            "others": snapshot.others,
            "windows": [
                {
                    "window": window,
                    "closed": state.closed,
                    "unsettled": state.unsettled,
                    "series": list(state.series.items()),
                    "evicted": list(state.evicted.items()),
                    "segments": [keys_of[id(sums)] for sums in state.segments],
                }
                for window, state in snapshot.windows.items()
            ],
        }
        manifest = _joined([json.dumps(header, sort_keys=True).encode()], _MAGIC)
        every = frozenset(key for keys in keys_of.values() for key in keys)
        sizes = self._sizes | {key: len(piece) for key, piece in fresh.items()}
        self._sizes = {key: sizes[key] for key in every}
        return Packed(manifest, fresh, every, sum(self._sizes.values()))


def _pieces(sums: Sums) -> Iterator[tuple[str, bytes]]:
    data = _joined([_ipc(frame) for frame in sums.frames()])
    for start in range(0, len(data), PIECE_BYTES):
        piece = data[start : start + PIECE_BYTES]
        yield hashlib.sha256(piece).hexdigest(), piece


def _of_pieces(
    windows: Sequence[Mapping[str, Any]], pieces: Mapping[str, bytes]
) -> Iterator[list[Sums]]:
    """Yield the segments of each window of a manifest; raises KeyError, SnapshotError."""
    for window in windows:
        yield [_unpacked(keys, pieces) for keys in window["segments"]]


def _unpacked(keys: Sequence[str], pieces: Mapping[str, bytes]) -> Sums:
    for key in keys:
        if hashlib.sha256(pieces[key]).hexdigest() != key:
            raise SnapshotError(f"part {key[:12]} is not what was written")
    data = b"".join(pieces[key] for key in keys)
    return _sums([pl.read_ipc(BytesIO(part)) for part in _parts(data)])


def _of_whole(parts: Sequence[bytes]) -> list[list[Sums]]:
    """Return the one segment of each window of version 2."""
    count = len(SCHEMAS)
    frames = [pl.read_ipc(BytesIO(part)) for part in parts]
    return [[_sums(frames[at : at + count])] for at in range(0, len(frames), count)]


def _sums(frames: Sequence[pl.DataFrame]) -> Sums:
    """Return sums of frames that have the columns of theirs; raises ValueError, PolarsError."""
    typed = [
        frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        for frame, schema in zip(frames, SCHEMAS, strict=True)
    ]
    return Sums(*typed)


def _header(data: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(data)
    if header["version"] not in {_WHOLE, VERSION}:
        raise SnapshotError(f"snapshot version {header['version']} is not known")
    return header


def _ipc(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _joined(parts: Iterable[bytes], magic: bytes = b"") -> bytes:
    return magic + b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def _parts(data: bytes, magic: bytes = b"") -> list[bytes]:
    if not data.startswith(magic):
        raise SnapshotError("the first bytes are not those of a snapshot")
    at, parts = len(magic), []
    while at < len(data):
        (length,) = struct.unpack_from(">Q", data, at)
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    if at != len(data):
        raise SnapshotError("the last part is cut off")
    return parts
