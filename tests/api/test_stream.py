"""What happens, as it happens: on a real socket, as browsers listen."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from alerts.feed import newest_line, news_after
from alerts.keys import Role
from alerts.store import Store
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


def listen(server: ApiServer, api: Api, last: int | None = None) -> Any:
    _, secret = api.keys.create_key("listener", Role.VIEWER, NOW)
    headers = {"Authorization": f"Bearer {secret.get_secret_value()}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    url = f"{server.url}/api/v1/stream"
    return httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False)


def test_news_arrive_as_they_happen(served: tuple[Api, ApiServer]) -> None:
    api, server = served
    Store(api.engine).record([finding(0, "198.51.100.1")], watermark=None)
    with listen(server, api) as answer:
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
    with listen(server, api, seen) as answer:
        missed = events(answer, len(all_of_it) - 2)
    assert [number for number, _, _ in missed] == [news.id for news in all_of_it[2:]]
    assert newest_line(api.engine) == all_of_it[-1].id


def test_who_was_away_for_long_reads_the_list_anew(served: tuple[Api, ApiServer]) -> None:
    api, server = served
    found = [finding(n % 60, f"10.{n // 250}.0.{n % 250}") for n in range(501)]
    Store(api.engine).record(found, watermark=None)
    with listen(server, api, 0) as answer:
        ((number, name, _),) = events(answer, 1)
    assert (name, number) == ("reset", newest_line(api.engine))


def test_streams_are_for_those_who_may_read(served: tuple[Api, ApiServer]) -> None:
    _, server = served
    assert httpx.get(f"{server.url}/api/v1/stream", trust_env=False).status_code == 401
