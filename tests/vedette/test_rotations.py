"""Rotated and compressed logs are one log."""

import gzip
from pathlib import Path

from .scans import combined, contents, incidents_of, written


def scanning(start: int, count: int) -> list[str]:
    return [
        combined(start + n, request=f"GET /missing-{start}-{n} HTTP/1.1", status=404)
        for n in range(count)
    ]


def test_an_attack_across_rotations_is_one_incident(tmp_path: Path) -> None:
    lines = scanning(0, 90)
    whole = incidents_of([written(tmp_path / "whole.log", lines)], tmp_path)
    (tmp_path / "access.log.2.gz").write_bytes(
        gzip.compress("".join(line + "\n" for line in lines[:30]).encode())
    )
    written(tmp_path / "access.log.1", lines[30:60])
    written(tmp_path / "access.log", lines[60:])
    rotated = incidents_of([tmp_path / "access.log*"], tmp_path)
    assert len(whole) == 1
    assert contents(rotated) == contents(whole)
