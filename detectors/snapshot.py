"""Snapshots of detector state: versioned plain data, no code, no clear text but entity names."""

import json
import struct
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final, Self

import polars as pl

from detectors.aggregate import PANE_SCHEMA, VALUE_SCHEMA

VERSION: Final = 1
_MAGIC: Final = b"VDTSNAP"


class SnapshotError(ValueError):
    """The bytes are not a snapshot that this program can read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of all rules at one point of the stream.

    `closed` says per rule up to where its panes are closed (us). `panes` and `values` have the
    columns of PANE_SCHEMA and VALUE_SCHEMA and, first, `rule` (its name). `signatures` tell
    whether a rule still means what it meant.
    """

    fingerprint: str
    closed: dict[str, int]
    signatures: dict[str, str]
    evicted: dict[str, int]
    panes: pl.DataFrame = field(default_factory=lambda: no_rows(PANE_SCHEMA))
    values: pl.DataFrame = field(default_factory=lambda: no_rows(VALUE_SCHEMA))

    def to_bytes(self) -> bytes:
        """Return the snapshot as bytes: a JSON header and two Arrow IPC frames."""
        frames = [_ipc(self.panes), _ipc(self.values)]
        header = {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "closed": self.closed,
            "signatures": self.signatures,
            "evicted": self.evicted,
        }
        parts = [json.dumps(header, sort_keys=True).encode(), *frames]
        return _MAGIC + b"".join(struct.pack(">Q", len(part)) + part for part in parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what to_bytes wrote; raises SnapshotError for anything else."""
        try:
            header_bytes, panes, values = _parts(data)
            header = json.loads(header_bytes)
            if header["version"] != VERSION:
                raise SnapshotError(f"snapshot version {header['version']} is not known")
            return cls(
                header["fingerprint"],
                header["closed"],
                header["signatures"],
                header["evicted"],
                pl.read_ipc(BytesIO(panes)),
                pl.read_ipc(BytesIO(values)),
            )
        except (KeyError, ValueError, struct.error, pl.exceptions.PolarsError) as error:
            raise SnapshotError(f"not a readable snapshot: {error}") from error


def no_rows(schema: pl.Schema) -> pl.DataFrame:
    """Return an empty snapshot frame for a pane or value schema."""
    return pl.DataFrame(schema={"rule": pl.String(), **schema})


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
    if len(parts) != 3:  # noqa: PLR2004 - header, panes, values
        raise SnapshotError(f"a snapshot has three parts, not {len(parts)}")
    return parts
