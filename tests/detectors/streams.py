"""Small made-up streams for the kernel's tests."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from detectors.catalogue import Catalogue, load_catalogue
from detectors.documents import read_rules
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from detectors.overrides import RuleOverride
from detectors.rules import Rule
from detectors.sigma import compile_rules
from detectors.snapshot import Snapshot
from ingest.events import BATCH_SCHEMA

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
LATENESS = 5_000_000

Claim = tuple[tuple[str, str, str], datetime, datetime, int, int]


def event(seconds: float = 0.0, **fields: Any) -> dict[str, Any]:
    """One event so many seconds after START, an ordinary GET unless said otherwise."""
    time = START + timedelta(seconds=seconds)
    ordinary: dict[str, Any] = {
        "timestamp": time,
        "effective_time": time,
        "windowed": True,
        "edge": True,
        "client_ip": "203.0.113.7",
        "method": "GET",
        "path": "/items/1",
        "route": "GET /items/{id}",
        "status": 200,
        "user_agent": "curl/8",
        "partition": "p",
        "position": 0,
    }
    return ordinary | fields


def frame(events: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Events as a batch frame."""
    return pl.DataFrame(list(events), schema=BATCH_SCHEMA)


def micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def catalogue_of(text: str, folder: Path, **overrides: RuleOverride) -> Catalogue:
    """A catalogue of the rules written in a text."""
    file = folder / "rules.yml"
    file.write_text(text, encoding="utf-8")
    return Catalogue(tuple(compile_rules(read_rules(file), overrides)), "test")


def only(name: str) -> Catalogue:
    """The built-in catalogue reduced to one rule."""
    catalogue = load_catalogue()
    return Catalogue((catalogue.rule(name),), catalogue.fingerprint)


def claims(findings: Iterable[Finding]) -> list[Claim]:
    """What must not depend on cuts: all but the evidence."""
    return [(f.key, f.first, f.last, f.value, f.threshold) for f in merge_runs([], findings)]


def run(
    catalogue: Catalogue,
    batches: Sequence[pl.DataFrame],
    watermarks: Sequence[int | None] | None = None,
    *,
    restore_after: frozenset[int] = frozenset(),
) -> list[Claim]:
    """Final claims of a kernel over batches, with snapshot and restore after some of them."""
    kernel = RuleKernel(catalogue)
    found: list[Finding] = []
    newest: datetime | None = None
    for number, batch in enumerate(batches):
        latest = batch["effective_time"].max()
        if isinstance(latest, datetime):
            newest = latest if newest is None else max(newest, latest)
        own = None if newest is None else micros(newest) - LATENESS
        watermark = own if watermarks is None else watermarks[number]
        found += kernel.process(batch, watermark)
        if number in restore_after:
            snapshot = Snapshot.from_bytes(kernel.snapshot().to_bytes())
            kernel = RuleKernel(catalogue)
            assert kernel.restore(snapshot) == []
    return claims(found + kernel.finish())


def expected_counts(rule: Rule, events: pl.DataFrame) -> dict[str, tuple[int, datetime, datetime]]:
    """Greatest window value and span per client, worked out slowly by the definition.

    A pane violates if the window of panes that ends with it reaches the limit.
    """
    panes = rule.panes
    accepted = events.filter(rule.selection)
    result: dict[str, tuple[int, datetime, datetime]] = {}
    groups: dict[tuple[Any, ...], list[tuple[int, Any, Any]]] = {}
    for row in accepted.iter_rows(named=True):
        if row["client_ip"] is None or (rule.value and row[rule.value] is None):
            continue
        key = (row["client_ip"], *(row[name] for name in rule.group))
        value = row[rule.value] if rule.value else None
        time = micros(row["effective_time"])
        groups.setdefault(key, []).append((time, value, row["user_agent"]))
    for (client, *_), rows in groups.items():
        for pane in {panes.start(time) for time, _, _ in rows}:
            inside = [r for r in rows if pane - panes.span < panes.start(r[0]) <= pane]
            value = len({v for _, v, _ in inside}) if rule.value else len(inside)
            limit = rule.threshold
            if rule.shared_address is not None:
                shared = rule.shared_address
                agents = len({agent for _, _, agent in inside})
                agents = min(max(agents, shared.agents), shared.agents * shared.cap)
                limit = rule.threshold * agents // shared.agents
            if value >= limit:
                own = [time for time, _, _ in rows if panes.start(time) == pane]
                first = START + timedelta(microseconds=min(t for t, _, _ in inside) - micros(START))
                last = START + timedelta(microseconds=max(own) - micros(START))
                old = result.get(client, (0, first, last))
                result[client] = (max(old[0], value), min(old[1], first), max(old[2], last))
    return result


@st.composite
def traffic(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few hundred events of a few clients within minutes, dense enough to reach limits."""
    size = draw(st.integers(min_value=1, max_value=160))
    seed = draw(st.randoms(use_true_random=False))
    span = draw(st.sampled_from([3, 20, 90, 700]))
    paths = ["/login", "/.env", "/a", "/b", "/c.css", *(f"/x{n}" for n in range(60))]
    events = []
    for position in range(size):
        at = seed.randint(0, span * 1_000_000) / 1e6
        path = seed.choice(paths)
        events.append(
            event(
                at,
                client_ip=seed.choice(["203.0.113.7", "203.0.113.8", None]),
                method=seed.choice(["GET", "POST"]),
                path=path,
                route=f"GET {path}",
                status=seed.choice([200, 401, 403, 404]),
                user_agent=seed.choice(["a", "b", "c", "d", "e", "f", "g"]),
                request_raw=seed.choice([None, "HELP"]),
                position=position,
            )
        )
    return sorted(events, key=lambda e: e["effective_time"])
