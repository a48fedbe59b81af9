"""Rotated and compressed logs are one log."""

import gzip
from pathlib import Path

import pytest

from .scans import combined, contents, incidents_of, written


def scanning(start: int, count: int) -> list[str]:
    return [
        combined(start + n, request=f"GET /missing-{start}-{n} HTTP/1.1", status=404)
        for n in range(count)
    ]


@pytest.mark.parametrize("after", [1, 2, 4, 10])
def test_calm_is_the_same_for_a_log_and_its_parts(after: int, tmp_path: Path) -> None:
    attack = [combined(n, request="GET /v1/me HTTP/1.1", status=401) for n in range(40)]
    lines = attack + [combined(3000 + n, client="198.51.100.1") for n in range(after)]
    (whole,) = incidents_of([written(tmp_path / "whole.log", lines)], tmp_path)
    parts = [written(tmp_path / f"part{n}.log", lines[n::5]) for n in range(5)]
    assert contents(incidents_of(parts, tmp_path)) == contents([whole])
    assert whole.status == "resolved"


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


def test_a_scan_resolves_all_that_is_calm_however_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.storage.writing.CALM_LIMIT", 1)
    lines = [
        combined(n, client=f"203.0.113.{client}", request=f"GET /gone-{n} HTTP/1.1", status=404)
        for n in range(40)
        for client in range(1, 4)
    ]
    later = combined(3000, client="198.51.100.1")
    found = incidents_of([written(tmp_path / "a.log", [*lines, later])], tmp_path)
    assert len(found) >= 3
    assert {incident.status for incident in found} == {"resolved"}
