"""Small made-up streams for the kernel's tests."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from detectors.aggregate import Complete
from detectors.catalogue import Catalogue, load_catalogue
from detectors.curves import Curve
from detectors.documents import read_rules
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from detectors.overrides import RuleOverride
from detectors.sigma import compile_rules
from detectors.snapshot import Packer, Snapshot
from detectors.table import KEY_CAP
from ingest.events import BATCH_SCHEMA

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
LATENESS = 5_000_000

Claim = tuple[tuple[str, str, str], datetime, datetime, int, int]
Told = tuple[tuple[str, str, str], datetime, datetime, int, int, int, datetime | None, str, Curve]


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


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1)


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
    """What findings claim: who, when, how much."""
    return [(f.key, f.first, f.last, f.value, f.threshold) for f in merge_runs([], findings)]


def told(findings: Iterable[Finding]) -> list[Told]:
    """What must not depend on cuts: all but the evidence."""
    return [
        (
            *(f.key, f.first, f.last, f.value, f.threshold),
            *(f.level, f.reached, " ".join(sorted(f.members)), f.drawn),
        )
        for f in merge_runs([], findings)
    ]


def run(
    catalogue: Catalogue,
    batches: Sequence[pl.DataFrame],
    watermarks: Sequence[int | None] | None = None,
    *,
    restore_after: frozenset[int] = frozenset(),
    key_cap: int = KEY_CAP,
    prompt: bool = True,
) -> list[Told]:
    """Final claims of a kernel over batches, with snapshot and restore after some of them."""
    kernel = RuleKernel(catalogue, key_cap=key_cap, prompt=prompt)
    found: list[Finding] = []
    newest: datetime | None = None
    packer, pieces = Packer(), dict[str, bytes]()
    for number, batch in enumerate(batches):
        before = -(2**61) if newest is None else micros(newest)
        latest = batch["effective_time"].max()
        if isinstance(latest, datetime):
            newest = latest if newest is None else max(newest, latest)
        own = None if newest is None else micros(newest) - LATENESS
        watermark = own if watermarks is None else watermarks[number]
        complete = None
        if watermarks is None and watermark is not None and not prompt:
            complete = Complete(before, watermark)
        found += kernel.judge(kernel.aggregate(batch, complete), watermark)
        if number in restore_after:
            packed = packer.pack(kernel.snapshot())
            pieces.update(packed.pieces)
            snapshot = Snapshot.unpack(packed.manifest, {key: pieces[key] for key in packed.named})
            kernel = RuleKernel(catalogue, key_cap=key_cap, prompt=prompt)
            assert kernel.restore(snapshot) == []
    return told(found + kernel.finish())


class Traffic(list[dict[str, Any]]):
    """Events whose repr Hypothesis can show."""

    def __repr__(self) -> str:
        shown = ("effective_time", "client_ip", "method", "path", "status")
        rows = [[f"{e[name]}" for name in shown] for e in self[:12]]
        return f"{len(self)} events, the first {rows}"


PATHS = [
    "/login",
    "/%6cogin",
    "/.env",
    "/.git/config",
    "/admin/users",
    "/actuator/env",
    "/api/v1/checkout",
    "/password/reset",
    "/search",
    "/c.css",
    *(f"/orders/{n}" for n in range(1, 9)),
    *(f"/x{n}" for n in range(60)),
]
QUERIES = [None, None, "q=a", "id=1%27%20or%201=1--", "file=../../etc/passwd", "token=abcdef123456"]


@st.composite
def traffic(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few hundred events of a few clients within minutes, dense enough to reach limits."""
    size = draw(st.integers(min_value=1, max_value=160))
    seed = draw(st.randoms(use_true_random=False))
    span = draw(st.sampled_from([3, 20, 90, 700, 9_000]))
    clients = draw(st.sampled_from([3, 12]))
    few, many = [401, 403, 200], [200, 404, 401, 403, 405, 429, 500, None]
    statuses: list[int | None] = draw(st.sampled_from([few, many]))
    events = []
    for position in range(size):
        at = seed.randint(0, span * 1_000_000) / 1e6
        path = seed.choice(PATHS[:2] if seed.random() < 0.3 else PATHS)
        number = seed.randrange(clients)
        method = seed.choice(["GET", "POST", "PUT", "TRACE", "OPTIONS"])
        template = "/orders/{id}" if path.startswith("/orders") else path
        events.append(
            event(
                at,
                client_ip=None if number == 0 else f"203.0.113.{number}",
                client_network=seed.choice([None, "203.0.113.0/24", "198.51.100.0/24"]),
                service=seed.choice([None, "shop", "pay"]),
                user=seed.choice([None, "ann", "bob", "eve", "joe"]),
                api_key=seed.choice([None, "k1", "k2"]),
                country=seed.choice([None, "SE", "GB", "US"]),
                method=method,
                path=path,
                query=seed.choice(QUERIES),
                route=f"{method} {template}",
                status=seed.choice(statuses),
                user_agent=seed.choice(["a", "b", "c", "d", "e", "f", "sqlmap/1.8", None]),
                request_bytes=seed.choice([None, 10, 20_000_000]),
                response_bytes=seed.choice([None, 0, 700, 90_000_000]),
                duration_us=seed.choice([None, 1_000, 3_000_000]),
                request_raw=seed.choice([None, None, "HELP"]),
                position=position,
            )
        )
    return Traffic(sorted(events, key=lambda e: e["effective_time"]))
