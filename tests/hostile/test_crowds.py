"""Crowds against small limits: what is kept stays bounded, and the attacker in them is found."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detectors import aggregate, exhibits
from detectors.catalogue import load_catalogue
from detectors.findings import Finding
from detectors.kernel import RuleKernel
from ingest.reader import LogReader
from ingest.sources import FileSource
from tests.vedette.scans import combined, written

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
ATTACKER = "203.0.113.7"
KEYS = 200


def crowd(kind: str, second: int) -> list[str]:
    """Ten requests that nobody repeats, and two of the attacker."""
    lines = []
    for number in range(second * 10, second * 10 + 10):
        changes: dict[str, Any] = {"client": f"20.{number % 250}.{number // 250}.9"}
        if kind == "users":
            changes["user"] = f"user{number}"
        if kind == "paths":
            changes = {"client": "198.51.100.9", "status": 404}
            changes["request"] = f"GET /missing/{number} HTTP/1.1"
        lines.append(combined(second, **changes))
    guess = combined(second, client=ATTACKER, request="POST /v1/login HTTP/1.1", status=401)
    return [*lines, guess, guess]


@pytest.mark.parametrize("kind", ["clients", "paths", "users"])
def test_an_attacker_is_found_in_a_crowd(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Seen to fail with eviction left out."""
    monkeypatch.setattr(aggregate, "VALUES_PER_PANE", 50)
    monkeypatch.setattr(exhibits, "ENTITY_LIMIT", 5)
    log = written(tmp_path / "a.log", [line for s in range(300) for line in crowd(kind, s)])
    kernel = RuleKernel(load_catalogue({}), key_cap=KEYS)
    found: list[Finding] = []
    for batch in LogReader([FileSource(paths=(str(log),))], chunk_bytes=40_000).batches():
        found += kernel.process(batch.events, batch.watermark)
    kept = kernel.snapshot().windows
    found += kernel.finish()
    about = {(finding.detector, finding.entity) for finding in found}
    assert ("auth_failure_burst", ATTACKER) in about
    if kind == "paths":
        assert ("missing_path_scan", "198.51.100.9") in about
    else:
        assert kernel.evicted
    for window, state in kept.items():
        closed = timedelta(microseconds=max(state.closed, 0))
        sums = [segment.panes for segment in state.segments]
        keys = {
            key
            for panes in sums
            for key in panes.filter(panes["pane"] < closed // timedelta(microseconds=1))[
                "key"
            ].to_list()
        }
        assert len(keys) <= KEYS, window
