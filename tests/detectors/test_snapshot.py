"""Snapshots: only what is new is packed; what is damaged, or of another version, is refused."""

import hashlib
import json
import re
import struct
from io import BytesIO

import polars as pl
import pytest

from detectors.aggregate import Sums
from detectors.catalogue import load_catalogue
from detectors.kernel import RuleKernel
from detectors.snapshot import (
    PIECE_BYTES,
    Packed,
    Packer,
    Snapshot,
    SnapshotError,
    named,
    pack_frames,
    unpack_frames,
)
from tests.detectors.streams import LATENESS, START, event, frame, micros, told

CATALOGUE = load_catalogue()


def fed(kernel: RuleKernel, first: int, last: int, clients: int = 40) -> None:
    """Feed a batch a second."""
    for second in range(first, last):
        rows = [
            event(
                second + n / clients,
                client_ip=f"10.0.{n // 250}.{n % 250}",
                path=f"/none/{second}",
                status=404,
            )
            for n in range(clients)
        ]
        kernel.process(frame(rows), micros(START) + second * 1_000_000 - LATENESS)


def unpacked(packed: Packed, *earlier: Packed) -> Snapshot:
    pieces = {key: piece for each in (*earlier, packed) for key, piece in each.pieces.items()}
    return Snapshot.unpack(packed.manifest, pieces)


def test_a_segment_is_packed_once() -> None:
    """Fails if `pack` forgets which segments it knows, and so writes all state every time."""
    kernel, packer = RuleKernel(CATALOGUE), Packer()
    fed(kernel, 0, 60)
    first = packer.pack(kernel.snapshot())
    assert set(first.pieces) == first.named == named(first.manifest)
    again = packer.pack(kernel.snapshot())
    assert (dict(again.pieces), again.named) == ({}, first.named)
    assert again.size == first.size == sum(map(len, first.pieces.values()))
    fed(kernel, 60, 62)
    later = packer.pack(kernel.snapshot())
    assert later.pieces
    assert later.named & first.named
    assert later.named - first.named == set(later.pieces)
    other = RuleKernel(CATALOGUE)
    assert other.restore(unpacked(later, first)) == []
    fed(kernel, 62, 70)
    fed(other, 62, 70)
    assert told(kernel.finish()) == told(other.finish())


def test_pieces_are_known_by_their_content_and_of_bounded_size() -> None:
    kernel = RuleKernel(CATALOGUE)
    fed(kernel, 0, 8, clients=4_000)
    packed = Packer().pack(kernel.snapshot())
    assert len(packed.pieces) > 1
    for key, piece in packed.pieces.items():
        assert hashlib.sha256(piece).hexdigest() == key
        assert len(piece) <= PIECE_BYTES
    assert Packer().pack(kernel.snapshot()).named == packed.named  # the same bytes every time


@pytest.mark.parametrize("fault", ["missing", "changed", "manifest", "cut", "version", "junk"])
def test_what_is_damaged_is_refused(fault: str) -> None:
    """Fails (changed) if the pieces are not held against their checksums."""
    kernel = RuleKernel(CATALOGUE)
    fed(kernel, 0, 5)
    packed = Packer().pack(kernel.snapshot())
    pieces, manifest = dict(packed.pieces), packed.manifest
    key = sorted(pieces)[0]
    if fault == "missing":
        del pieces[key]
    elif fault == "changed":
        pieces[key] = pieces[sorted(pieces)[1]]  # readable, but of another segment
    elif fault == "manifest":
        manifest = manifest.replace(b'"closed"', b'"closes"')
    elif fault == "cut":
        manifest = manifest[:-3]
    elif fault == "version":
        manifest = manifest.replace(b'"version": 4', b'"version": 9')
    else:
        manifest = b"\0" * 20
    with pytest.raises(SnapshotError):
        Snapshot.unpack(manifest, pieces)


def test_snapshots_of_version_2_are_still_read() -> None:
    """All in one piece, each window merged into one segment: what the first releases wrote."""
    kernel = RuleKernel(CATALOGUE)
    fed(kernel, 0, 20)
    other = RuleKernel(CATALOGUE)
    assert other.restore(Snapshot.unpack(whole(kernel), {})) == []
    assert named(whole(kernel)) == frozenset()
    fed(kernel, 20, 30)
    fed(other, 20, 30)
    assert told(kernel.finish()) == told(other.finish())


def whole(kernel: RuleKernel) -> bytes:
    """Write version 2."""
    windows: list[dict[str, object]] = []
    frames: list[pl.DataFrame] = []
    for window, state in kernel.snapshot().windows.items():
        windows.append(
            {
                "window": window,
                "closed": state.closed,
                "unsettled": state.unsettled,
                "series": list(state.series.items()),
                "evicted": list(state.evicted.items()),
            }
        )
        frames += merged(kernel, window).frames()
    header = {"version": 2, "fingerprint": "f", "others": {}, "windows": windows}
    parts = [json.dumps(header, sort_keys=True).encode()]
    for each in frames:
        buffer = BytesIO()
        each.write_ipc(buffer, compression="zstd")
        parts.append(buffer.getvalue())
    return b"VDTSNAP" + b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def merged(kernel: RuleKernel, window: int) -> Sums:
    (table,) = [
        table
        for length, table in kernel._state.tables.items()
        if length.total_seconds() * 1_000_000 == window
    ]
    return table.everything()


def learned(**parts: pl.DataFrame) -> Snapshot:
    """State of learned detectors alone."""
    return Snapshot("f", {}, {}, {"spikes": parts, "seen": {}})


def test_a_part_of_what_is_learned_is_packed_once() -> None:
    """Fails if `pack` does not know frames that are the same objects."""
    packer = Packer()
    monday, tuesday = pl.DataFrame({"n": [1, 2]}), pl.DataFrame({"n": [3], "x": [0.5]})
    first = packer.pack(learned(monday=monday, tuesday=tuesday))
    assert len(first.pieces) == 2
    later = packer.pack(learned(monday=monday, tuesday=pl.DataFrame({"n": [4], "x": [0.25]})))
    assert len(later.pieces) == 1
    assert later.named == named(later.manifest)
    assert len(later.named & first.named) == 1
    found = unpacked(later, first).learned
    assert found["spikes"]["monday"].equals(monday)
    assert found["spikes"]["tuesday"].to_dicts() == [{"n": 4, "x": 0.25}]
    assert found["seen"] == {}


@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_rules_are_read_though_what_is_learned_is_damaged(fault: str) -> None:
    kernel, packer = RuleKernel(CATALOGUE), Packer()
    fed(kernel, 0, 5)
    counted = kernel.snapshot()
    known = packer.pack(counted)
    taught = learned(day=pl.DataFrame({"n": [1]})).learned
    packed = packer.pack(Snapshot(counted.fingerprint, counted.windows, {}, taught))
    pieces = dict(known.pieces)
    if fault == "changed":
        pieces |= {key: piece + b"x" for key, piece in packed.pieces.items()}
    found = Snapshot.unpack(packed.manifest, pieces)
    assert set(found.lost) == {"spikes"}
    assert set(found.learned) == {"seen"}
    other = RuleKernel(CATALOGUE)
    assert other.restore(found) == []
    assert told(kernel.finish()) == told(other.finish())


def test_snapshots_of_version_3_are_still_read() -> None:
    """As before anything was learned: the header had no such key."""
    kernel = RuleKernel(CATALOGUE)
    fed(kernel, 0, 5)
    packed = Packer().pack(kernel.snapshot())
    header = re.sub(rb', "version": 4|"learned": \{\}, ', b"", packed.manifest[15:])
    header = header.replace(b'"others"', b'"version": 3, "others"')
    manifest = packed.manifest[:7] + struct.pack(">Q", len(header)) + header
    found = Snapshot.unpack(manifest, packed.pieces)
    assert (found.learned, found.lost) == ({}, {})
    assert named(manifest) == packed.named
    assert RuleKernel(CATALOGUE).restore(found) == []


def test_frames_come_back_from_bytes() -> None:
    frames = {"a": pl.DataFrame({"n": [1]}), "b": pl.DataFrame({"t": ["x", None]})}
    data = pack_frames(frames)
    assert {name: frame.rows() for name, frame in unpack_frames(data).items()} == {
        "a": [(1,)],
        "b": [("x",), (None,)],
    }
    for damaged in (b"", data[:-2], data[:40], b"VDTFRAMES" + b"\xff" * 9):
        with pytest.raises(SnapshotError):
            unpack_frames(damaged)
