"""The process that sends what bench.api_load planned; prints latencies as JSON.

    python -m bench.api_clients PLAN

Plain sockets on asyncio, and a parser of answers that knows only what this server sends: httpx
would use up the processor that the server needs.
"""

import asyncio
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

#: Seconds at the beginning that do not count: caches fill, connections open.
WARM_UP: Final = 5.0

#: What is asked how often, by name; `{n}` is an incident, `{ip}` an address among them.
MIX: Final[tuple[tuple[int, str, str], ...]] = (
    (18, "list", "/api/v1/incidents"),
    (8, "severity", "/api/v1/incidents?severity_min=high&limit=50"),
    (6, "status", "/api/v1/incidents?status=open&status=acknowledged"),
    (8, "service", "/api/v1/incidents?service={service}"),
    (3, "service, status", "/api/v1/incidents?service={service}&status=open"),
    (4, "tag", "/api/v1/incidents?tag={tag}"),
    (2, "label", "/api/v1/incidents?label=campaign"),
    (1, "rare label", "/api/v1/incidents?label=rare"),
    (3, "detector", "/api/v1/incidents?detector={detector}"),
    (1, "severest", "/api/v1/incidents?detector={detector}&sort=severity"),
    (3, "time", "/api/v1/incidents?since=2025-11-0{d}T00:00:00Z&until=2025-11-2{d}T00:00:00Z"),
    (3, "text", "/api/v1/incidents?text={ip}"),
    (1, "text, none", "/api/v1/incidents?text=nobody{n}"),
    (12, "next page", ""),
    (15, "detail", "/api/v1/incidents/{n}"),
    (2, "related", "/api/v1/incidents/{n}/related"),
    (5, "entity", "/api/v1/entities/client?entity={ip}"),
    (2, "detectors", "/api/v1/detectors"),
    (2, "gaps", "/api/v1/gaps"),
    (2, "ready", "/readyz"),
)

_SERVICES: Final = ("shop", "pay", "search", "auth", "mail")
_TAGS: Final = ("attack.t1110", "owasp.api2", "attack.t1190")
_DETECTORS: Final = ("login_burst", "client_outlier", "method_probing")


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.busy = False
        self._buffer = b""
        self._needed = 0
        self._answered: Callable[[int, bytes], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - of the protocol
        """Fail what was asked."""
        self.transport = None
        if self._answered is not None:
            self._answered(0, b"")

    def ask(self, head: bytes, answered: Callable[[int, bytes], None]) -> None:
        """Send a request."""
        self.busy, self._answered = True, answered
        assert self.transport is not None
        self.transport.write(head)

    def data_received(self, data: bytes) -> None:
        """Collect an answer, by its Content-Length."""
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._needed = end + 4 + length
        if len(self._buffer) < self._needed:
            return
        status, body = int(self._buffer[9:12]), self._buffer
        self._buffer, self._needed, self.busy = b"", 0, False
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status, body)


class Client:
    """One key holder: asks in the planned pace, over another connection if one is busy."""

    def __init__(self, number: int, plan: dict[str, Any], told: dict[str, list[Any]]) -> None:
        self._plan, self._told = plan, told
        self._random = random.Random(number)
        host = plan["address"].removeprefix("http://")
        self._host, self._port = host.rsplit(":", 1)
        key = plan["keys"][number]
        self._head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"
        self._open: list[Connection] = []
        self._next: str | None = None
        self._begin = number / len(plan["keys"]) / plan["rate"]
        self.late: list[float] = []

    async def run(self, start: float) -> None:
        """Send all that is planned."""
        loop = asyncio.get_running_loop()
        pause = 1 / self._plan["rate"]
        for turn in range(int((self._plan["seconds"] + WARM_UP) * self._plan["rate"])):
            jitter = self._random.random() * pause
            due = start + self._begin + turn * pause + jitter
            await asyncio.sleep(max(due - loop.time(), 0))
            self.late.append(loop.time() - due)
            counts = due - start >= WARM_UP
            name, path = self._choose()
            connection = await self._connection()
            connection.ask(
                f"GET {path} {self._head}".encode(),
                lambda status, body, name=name, due=due, counts=counts: self._answered(  # type: ignore[misc]
                    name, due, status, body, counts=counts
                ),
            )

    def _choose(self) -> tuple[str, str]:
        roll = self._random
        _, name, path = roll.choices(MIX, [weight for weight, _, _ in MIX])[0]
        if name == "next page":
            if self._next is None:
                return "list", "/api/v1/incidents"
            return name, self._next
        n = int(self._plan["incidents"] * (1 - roll.random() ** 3)) or 1
        address = f"10.{n * 7919 % 250}.{n % 251}.{n // 5 % 253}"
        return name, path.format(
            n=n,
            ip=address,
            d=roll.randint(1, 9),
            service=roll.choice(_SERVICES),
            tag=roll.choice(_TAGS),
            detector=roll.choice(_DETECTORS),
        )

    async def _connection(self) -> Connection:
        self._open = [each for each in self._open if each.transport is not None]
        for each in self._open:
            if not each.busy:
                return each
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(Connection, self._host, int(self._port))
        self._open.append(made)
        return made

    def _answered(self, name: str, due: float, status: int, body: bytes, *, counts: bool) -> None:
        took = asyncio.get_running_loop().time() - due
        if name in {"list", "service", "next page"}:
            head = body[: body.find(b"\r\n\r\n")].decode()
            at = head.find("link: <")
            self._next = head[at + 7 :].split(">", 1)[0] if at >= 0 else None
        if counts:
            self._told[name].append((took, status in {200, 304, 404}))


async def _run(plan: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, list[Any]] = defaultdict(list)
    clients = [Client(number, plan, told) for number in range(len(plan["keys"]))]
    start = asyncio.get_running_loop().time() + 0.5
    await asyncio.gather(*(client.run(start) for client in clients))
    await asyncio.sleep(3)
    late = sorted(each for client in clients for each in client.late)
    everything = [each for those in told.values() for each in those]
    rows = {name: _row(told[name]) for _, name, _ in MIX if told[name]}
    rows["all"] = _row(everything)
    return {"rows": rows, "late": round(late[int(len(late) * 0.99)] * 1000, 2)}


def _row(told: list[tuple[float, bool]]) -> list[float]:
    times = sorted(took * 1000 for took, _ in told)
    failed = sum(not well for _, well in told)
    shares = [times[min(int(len(times) * share), len(times) - 1)] for share in (0.5, 0.95, 0.99)]
    return [len(told), failed, *(round(each, 2) for each in (*shares, times[-1]))]


def _go_first() -> None:
    """Under a real-time policy, go before the server: who measures must not wait for it."""
    if os.sched_getscheduler(0) == os.SCHED_RR:
        above = os.sched_getparam(0).sched_priority + 1
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(above))


if __name__ == "__main__":
    _go_first()
    print(json.dumps(asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))))
