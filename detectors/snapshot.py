"""Snapshots of detector state: versioned plain data, no code, no clear text but entity names."""

import json
import struct
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Self

import polars as pl

from detectors.aggregate import SCHEMAS, Sums

VERSION: Final = 2
_MAGIC: Final = b"VDTSNAP"


class SnapshotError(ValueError):
    """The bytes are not a snapshot that this program can read."""


@dataclass(frozen=True, slots=True)
class WindowState:
    """State of all series of one window: up to where panes are closed (us), and their sums.

    Panes up to `unsettled` were not judged while they were open.

    `series` gives the signature behind each number in the sums, `evicted` counts by number.
    """

    closed: int
    unsettled: int
    series: dict[int, str]
    evicted: dict[int, int]
    sums: Sums


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State at one point of the stream, by window (us).

    `others` is what detectors that are not rules keep: plain data by their name.
    """

    fingerprint: str
    windows: dict[int, WindowState]
    others: dict[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the snapshot as bytes: a JSON header, and Arrow IPC frames of each window."""
        header = {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "others": self.others,
            "windows": [
                {
                    "window": window,
                    "closed": state.closed,
                    "unsettled": state.unsettled,
                    "series": list(state.series.items()),
                    "evicted": list(state.evicted.items()),
                }
                for window, state in self.windows.items()
            ],
        }
        parts = [json.dumps(header, sort_keys=True).encode()]
        for state in self.windows.values():
            sums = state.sums
            parts += [_ipc(each) for each in (sums.panes, sums.values, sums.members, sums.keys)]
        return _MAGIC + b"".join(struct.pack(">Q", len(part)) + part for part in parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what to_bytes wrote; raises SnapshotError for anything else."""
        try:
            first, *rest = _parts(data)
            header = json.loads(first)
            if header["version"] != VERSION:
                raise SnapshotError(f"snapshot version {header['version']} is not known")
            frames = [pl.read_ipc(BytesIO(part)) for part in rest]
            states = _states(header["windows"], frames)
            return cls(header["fingerprint"], states, header["others"])
        except (KeyError, TypeError, ValueError, struct.error, pl.exceptions.PolarsError) as error:
            raise SnapshotError(f"not a readable snapshot: {error}") from error


def _states(windows: list[dict[str, Any]], frames: list[pl.DataFrame]) -> dict[int, WindowState]:
    count = len(SCHEMAS)
    if len(frames) != count * len(windows):
        raise SnapshotError(f"{len(frames)} frames for {len(windows)} windows")
    found: dict[int, WindowState] = {}
    for place, window in enumerate(windows):
        mine = frames[place * count : (place + 1) * count]
        typed = [
            frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
            for frame, schema in zip(mine, SCHEMAS, strict=True)
        ]
        found[int(window["window"])] = WindowState(
            int(window["closed"]),
            int(window["unsettled"]),
            {int(number): str(signature) for number, signature in window["series"]},
            {int(number): int(count) for number, count in window["evicted"]},
            Sums(*typed),
        )
    return found


def _ipc(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _parts(data: bytes) -> list[bytes]:
    if not data.startswith(_MAGIC):
        raise SnapshotError("the first bytes are not those of a snapshot")
    at, parts = len(_MAGIC), []
    while at < len(data):
        (length,) = struct.unpack_from(">Q", data, at)
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return parts
