"""What happens, as it happens: on a real socket, as browsers listen."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.database.opening import open_database
from alerts.lists.feed import newest_line, news_after
from alerts.storage.store import Store
from api.broadcast import Broadcast
from api.server import ApiServer, serve
from tests.api.calls import NOW, Api, application, finding


@pytest.fixture
def served(engine: Engine, tmp_path: Path) -> Iterator[tuple[Api, ApiServer]]:
    with application(engine, tmp_path) as api:
        server = serve(api.app, "127.0.0.1", 0)
        yield api, server
        server.stop()


def events(answer: httpx.Response, count: int) -> list[tuple[int, str, Any]]:
    """Read so many events from a stream."""
    found: list[tuple[int, str, Any]] = []
    number, name = 0, ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            found.append((number, name, json.loads(value)))
            if len(found) == count:
                return found
    return found


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Api, ApiServer]]:
    """The same on SQLite alone, for what no SQL decides."""
    engine = open_database(f"sqlite:///{tmp_path / 'small.db'}")
    with application(engine, tmp_path) as api:
        server = serve(api.app, "127.0.0.1", 0)
        yield api, server
        server.stop()
    engine.dispose()


def new_key(api: Api) -> str:
    _, secret = api.keys.create_key("listener", Role.VIEWER, NOW)
    return secret.get_secret_value()


def listen(server: ApiServer, key: str, last: int | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    url = f"{server.url}/api/v1/stream"
    return httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False)


def test_news_arrive_as_they_happen(served: tuple[Api, ApiServer]) -> None:
    api, server = served
    Store(api.engine).record([finding(0, "198.51.100.1")], watermark=None)
    with listen(server, new_key(api)) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000", "listening has begun: what was before is not news"
        Store(api.engine).record([finding(1)], watermark=None)
        number, name = next(lines), ""
        while not number.startswith("id: "):
            number = next(lines)
        name, data = next(lines), next(lines)
    assert name == "event: incident"
    told = json.loads(data.removeprefix("data: "))
    assert (told["action"], told["incident"]["entity"]) == ("opened", "203.0.113.7")
    assert told["incident"]["members"] == []


def test_who_was_away_gets_what_was_missed(served: tuple[Api, ApiServer]) -> None:
    api, server = served
    store = Store(api.engine)
    store.record([finding(n, f"10.0.0.{n}") for n in range(5)], watermark=None)
    all_of_it = news_after(api.engine, 0)
    assert [news.id for news in all_of_it] == sorted(news.id for news in all_of_it)
    seen = all_of_it[1].id
    with listen(server, new_key(api), seen) as answer:
        missed = events(answer, len(all_of_it) - 2)
    assert [number for number, _, _ in missed] == [news.id for news in all_of_it[2:]]
    assert newest_line(api.engine) == all_of_it[-1].id


def test_who_was_away_for_long_reads_the_list_anew(served: tuple[Api, ApiServer]) -> None:
    api, server = served
    found = [finding(n % 60, f"10.{n // 250}.0.{n % 250}") for n in range(501)]
    Store(api.engine).record(found, watermark=None)
    with listen(server, new_key(api), 0) as answer:
        ((number, name, _),) = events(answer, 1)
    assert (name, number) == ("reset", newest_line(api.engine))


@pytest.mark.parametrize(
    ("constant", "same_key", "status"), [("CALLER_LISTENERS", True, 429), ("LISTENERS", False, 503)]
)
def test_streams_are_not_for_one_alone(
    small: tuple[Api, ApiServer],
    monkeypatch: pytest.MonkeyPatch,
    constant: str,
    same_key: bool,
    status: int,
) -> None:
    """One key could take all streams; whoever leaves makes room."""
    api, server = small
    monkeypatch.setattr(f"api.broadcast.{constant}", 2)
    keys = [new_key(api)] * 3 if same_key else [new_key(api) for _ in range(3)]
    with listen(server, keys[0]), listen(server, keys[1]):
        with listen(server, keys[2]) as refused:
            assert (refused.status_code, refused.headers["retry-after"]) == (status, "10")
        if same_key:
            with listen(server, new_key(api)) as another:
                assert another.status_code == 200
    until = monotonic() + 10
    while api.app.state.services.broadcast.listeners:
        assert monotonic() < until
        Event().wait(0.01)
    with listen(server, keys[2]) as later:
        assert later.status_code == 200


def test_who_begin_together_hear_everything_once(
    small: tuple[Api, ApiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, _ = small
    store = Store(api.engine)
    looks: list[int] = []
    store.record([finding(0, "198.51.100.1")], watermark=None)

    def slow(engine: Engine) -> int:
        looks.append(1)
        Event().wait(0.05)
        return newest_line(engine)

    monkeypatch.setattr("api.broadcast.newest_line", slow)
    monkeypatch.setattr("api.broadcast.EVERY", 0.02)

    async def heard(broadcast: Broadcast, begun: asyncio.Barrier) -> list[int]:
        async with broadcast.listening("key:one") as (queue, begins), asyncio.timeout(10):
            await begun.wait()
            found = [begins]
            while found[-1] != newest_line(api.engine) or len(found) == 1:
                news = await queue.get()
                assert news is not None
                found.append(news.id)
            await asyncio.sleep(0.1)
            assert queue.empty(), "told twice"
            return found

    async def both() -> tuple[list[int], list[int]]:
        broadcast, begun = Broadcast(api.engine), asyncio.Barrier(3)
        async with asyncio.TaskGroup() as tasks:
            one, other = (tasks.create_task(heard(broadcast, begun)) for _ in range(2))
            await begun.wait()
            store.record([finding(n, f"10.0.0.{n}") for n in range(5)], watermark=None)
        assert broadcast.listeners == 0
        return one.result(), other.result()

    before = newest_line(api.engine)
    first, second = asyncio.run(both())
    assert first == second == [news.id for news in news_after(api.engine, before - 1)]
    assert looks == [1]


def test_streams_are_for_those_who_may_read(served: tuple[Api, ApiServer]) -> None:
    _, server = served
    assert httpx.get(f"{server.url}/api/v1/stream", trust_env=False).status_code == 401
