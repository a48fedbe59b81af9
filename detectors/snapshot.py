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
from itertools import chain
from typing import Any, Final, Self

import polars as pl

from detectors.aggregate import SCHEMAS, Sums
from detectors.learned.families import LearnedState

VERSION: Final = 4

#: The versions before: without what is learned; and one piece of bytes, all of a window merged
#: into one segment.
_UNLEARNED: Final = 3
_WHOLE: Final = 2

#: Bytes of a piece: few enough for whoever stores it to let others in between two.
PIECE_BYTES: Final = 1 << 20

#: What reading of damaged bytes raises.
_UNREADABLE: Final = (TypeError, ValueError, struct.error, pl.exceptions.PolarsError)

_MAGIC: Final = b"VDTSNAP"
_FRAMES: Final = b"VDTFRAMES"


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

    `others` is what detectors that are not rules keep: plain data by their name. `learned` is the
    state of learned detectors: frames by part, by family. `lost` says of families whose state
    cannot be read why; it is then not among `learned`.
    """

    fingerprint: str
    windows: dict[int, WindowState]
    others: dict[str, Any] = field(default_factory=dict)
    learned: LearnedState = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def unpack(cls, manifest: bytes, pieces: Mapping[str, bytes]) -> Self:
        """Read what a Packer wrote, or an older version; raises SnapshotError for anything else.

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
            learned, lost = _learned_of_pieces(head.get("learned", {}), pieces)
            return cls(head["fingerprint"], windows, head["others"], learned, lost)
        except KeyError as error:
            raise SnapshotError(f"not a readable snapshot: {error} is missing") from error
        except (*_UNREADABLE, AttributeError) as error:
            raise SnapshotError(f"not a readable snapshot: {error}") from error


def named(manifest: bytes) -> frozenset[str]:
    """Return the pieces that a manifest names; raises SnapshotError."""
    try:
        head = _header(_parts(manifest, _MAGIC)[0])
        if head["version"] == _WHOLE:
            return frozenset()
        counted = (keys for window in head["windows"] for keys in window["segments"])
        learned = (keys for parts in head.get("learned", {}).values() for keys in parts.values())
        return frozenset(key for keys in chain(counted, learned) for key in keys)
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise SnapshotError(f"not a readable manifest: {error}") from error


class Packer:
    """Turns the snapshots of one run into bytes; what it knows is not packed again.

    That are segments, and parts of what is learned, that are the same objects as in the last one.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Sums | pl.DataFrame, tuple[str, ...]]] = {}
        self._sizes: dict[str, int] = {}

    def pack(self, snapshot: Snapshot) -> Packed:
        """Return a snapshot's manifest and the pieces that the last one did not name."""
        known: dict[int, tuple[Sums | pl.DataFrame, tuple[str, ...]]] = {}
        fresh: dict[str, bytes] = {}
        every: list[Sums | pl.DataFrame] = []
        for state in snapshot.windows.values():
            every += state.segments
        for parts in snapshot.learned.values():
            every += parts.values()
        for held in every:
            keys = self._known[id(held)][1] if id(held) in self._known else None
            if keys is None:
                pieces = list(_pieces(held))
                fresh.update(pieces)
                keys = tuple(key for key, _ in pieces)
            known[id(held)] = (held, keys)  # held, so that its id is nobody else's
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
            "learned": {
                family: {name: keys_of[id(frame)] for name, frame in parts.items()}
                for family, parts in snapshot.learned.items()
            },
        }
        manifest = _joined([json.dumps(header, sort_keys=True).encode()], _MAGIC)
        wanted = frozenset(key for keys in keys_of.values() for key in keys)
        sizes = self._sizes | {key: len(piece) for key, piece in fresh.items()}
        self._sizes = {key: sizes[key] for key in wanted}
        return Packed(manifest, fresh, wanted, sum(self._sizes.values()))


def pack_frames(parts: Mapping[str, pl.DataFrame]) -> bytes:
    """Return frames by name as bytes."""
    names = json.dumps(list(parts)).encode()
    return _joined([names, *(_ipc(frame) for frame in parts.values())], _FRAMES)


def unpack_frames(data: bytes) -> dict[str, pl.DataFrame]:
    """Read what `pack_frames` wrote; raises SnapshotError for anything else."""
    try:
        names, *frames = _parts(data, _FRAMES)
        read = (pl.read_ipc(BytesIO(frame)) for frame in frames)
        return dict(zip(json.loads(names), read, strict=True))
    except _UNREADABLE as error:
        raise SnapshotError(f"not readable: {error}") from error


def _pieces(held: Sums | pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    frames = [held] if isinstance(held, pl.DataFrame) else held.frames()
    data = _joined([_ipc(frame) for frame in frames])
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
    return _sums(_frames(keys, pieces))


def _frames(keys: Sequence[str], pieces: Mapping[str, bytes]) -> list[pl.DataFrame]:
    for key in keys:
        if hashlib.sha256(pieces[key]).hexdigest() != key:
            raise SnapshotError(f"part {key[:12]} is not what was written")
    data = b"".join(pieces[key] for key in keys)
    return [pl.read_ipc(BytesIO(part)) for part in _parts(data)]


def _learned_of_pieces(
    named_parts: Mapping[str, Mapping[str, Sequence[str]]], pieces: Mapping[str, bytes]
) -> tuple[dict[str, dict[str, pl.DataFrame]], dict[str, str]]:
    """Return the state of each family, or why it cannot be read: rules do not need it."""
    learned: dict[str, dict[str, pl.DataFrame]] = {}
    lost: dict[str, str] = {}
    for family, parts in named_parts.items():
        try:
            learned[family] = {name: _frames(keys, pieces)[0] for name, keys in parts.items()}
        except KeyError as error:
            lost[family] = f"part {str(error.args[0])[:12]} is missing"
        except _UNREADABLE as error:
            lost[family] = str(error)
    return learned, lost


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
    if header["version"] not in {_WHOLE, _UNLEARNED, VERSION}:
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
