"""The block list is a weapon: each guard with the attack that would turn it round."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from alerts.access.keys import Role
from alerts.actions import Change, change_incident
from alerts.blocking.blocklist import BlockList
from alerts.blocking.settings import BLOCKABLE, BlockSettings
from alerts.database.opening import for_writing, open_database
from alerts.storage.store import Store
from api.application import ApiOptions
from api.bouncers import go_duration
from detectors.catalogue import load_catalogue
from detectors.findings import Finding, Level
from tests.api.calls import MINUTE, NOW, Api, application, finding

DETECTORS = ("burst",)


def options(**changed: object) -> ApiOptions:
    settings = BlockSettings.model_validate(
        {"enabled": True, "detectors": DETECTORS, "allow": ["9.9.9.0/24", "2600:1::5"], **changed}
    )
    return ApiOptions(blocklist=settings, protected=(ip_network("8.8.8.0/24"),))


@pytest.fixture
def api(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    with application(engine, tmp_path, options()) as opened:
        yield opened


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Api]:
    """The same on SQLite alone, for what no SQL decides."""
    engine = open_database(f"sqlite:///{tmp_path / 'small.db'}")
    with application(engine, tmp_path, options()) as opened:
        yield opened
    engine.dispose()


def attack(entity: str, **changed: object) -> Finding:
    return replace(finding(0, entity, "burst"), **changed)  # type: ignore[arg-type]


def listed(api: Api) -> list[str]:
    api.clock += timedelta(seconds=3)
    answer = api.client(Role.VIEWER, "blocklist").get("/api/v1/blocklist/text")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text.split()


def test_attackers_are_listed_until_some_time_after(api: Api) -> None:
    Store(api.engine).record([attack("1.2.3.4"), attack("2600::77")], watermark=None)
    assert listed(api) == ["1.2.3.4", "2600::/64"]
    client = api.client()
    nginx = client.get("/api/v1/blocklist/nginx").text
    assert nginx == "deny 1.2.3.4;\ndeny 2600::/64;\n"
    told = client.get("/api/v1/blocklist").json()
    assert (told["dry_run"], told["why_empty"], told["waiting"]) == (False, None, 0)
    assert told["blocks"][0]["detector"] == "burst"
    api.clock += timedelta(hours=4, minutes=1)
    assert listed(api) == []


@pytest.mark.parametrize(
    "entity",
    [
        *("10.0.0.1", "127.0.0.1", "169.254.1.1", "::1", "fe80::1", "192.168.1.1", "100.64.0.1"),
        *("9.9.9.9", "8.8.8.8", "2600:1::7", "::ffff:10.0.0.1", "not an address", "0.0.0.0"),
        *("64:ff9b::808:808", "2002:a00:1::1", "2001:0:1::1"),
    ],
)
def test_what_is_never_blocked(api: Api, entity: str) -> None:
    """Forged log lines name a gateway, a partner or everybody's resolver as the attacker."""
    Store(api.engine).record([attack(entity), attack("1.2.3.4")], watermark=None)
    assert listed(api) == ["1.2.3.4"]


@pytest.mark.parametrize(
    "harmless",
    [
        {"level": Level.MEDIUM},
        {"detector": "recon"},
        {"mode": "monitor"},
        {"entity_type": "network"},
        {"entity_type": "user"},
    ],
)
def test_what_is_not_blocked_for(api: Api, harmless: dict[str, object]) -> None:
    Store(api.engine).record([attack("1.2.3.4", **harmless)], watermark=None)
    assert listed(api) == []


@pytest.mark.parametrize("resolution", ["false_positive", "benign"])
def test_people_let_go(api: Api, resolution: str) -> None:
    Store(api.engine).record([attack("1.2.3.4")], watermark=None)
    assert listed(api) == ["1.2.3.4"]
    change = Change(status="closed", resolution=resolution)  # type: ignore[arg-type]
    change_incident(api.engine, 1, change, actor="mia", now=NOW)
    assert listed(api) == []


def test_nothing_is_blocked_while_a_proxy_seems_to_be_the_client(api: Api) -> None:
    """Without trusted_proxies all come from the load balancer: that would be blocked."""
    store = Store(api.engine)
    store.record([attack("1.2.3.4")], watermark=None)
    assert listed(api) == ["1.2.3.4"]
    store.record([finding(1, "5.6.7.8", "untrusted_proxy")], watermark=None)
    assert listed(api) == []
    assert "proxy" in api.client().get("/api/v1/blocklist").json()["why_empty"]


def test_only_some_are_added_in_a_minute(engine: Engine, tmp_path: Path) -> None:
    """Somebody who can make many addresses look guilty is not to block the world at once."""
    with application(engine, tmp_path, options(new_a_minute=2, entries=3)) as api:
        Store(engine).record([attack(f"1.2.3.{n}") for n in range(1, 6)], watermark=None)
        assert listed(api) == ["1.2.3.1", "1.2.3.2"]
        assert api.client().get("/api/v1/blocklist").json()["waiting"] == 3
        assert len(listed(api)) == 2
        api.clock += MINUTE
        assert listed(api) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
        api.clock += MINUTE
        assert len(listed(api)) == 3, "never more than entries"


@contextmanager
def another_writer(engine: Engine) -> Iterator[None]:
    """Hold the database as a writer that takes its time."""
    with for_writing(engine).connect() as connection, connection.begin():
        yield


def test_who_reads_the_list_waits_for_no_writer(small: Api) -> None:
    """Else one slow writer, and readers of the list, would take all threads of the API."""
    Store(small.engine).record([attack("1.2.3.4")], watermark=None)
    assert listed(small) == ["1.2.3.4"]
    blocklist = small.app.state.services.blocklist
    with ThreadPoolExecutor(1) as pool, another_writer(small.engine):
        assert len(pool.submit(blocklist.listing, NOW + MINUTE).result(5).blocks) == 1
    off = BlockList(small.engine, BlockSettings())
    assert off.listing(NOW).blocks == ()
    with ThreadPoolExecutor(1) as pool, another_writer(small.engine):
        assert pool.submit(off.listing, NOW + MINUTE).result(5).blocks == ()


def test_one_waits_for_a_writer_and_the_others_do_not(
    small: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, blocklist = Store(small.engine), small.app.state.services.blocklist
    store.record([attack("1.2.3.4"), attack("1.2.3.5")], watermark=None)
    assert len(listed(small)) == 2
    change = Change(status="closed", resolution="benign")
    change_incident(small.engine, 1, change, actor="mia", now=NOW)
    store.record([attack("1.2.3.6")], watermark=None)
    waits, goes_on = Event(), Event()

    def slow(engine: Engine) -> Engine:
        waits.set()
        assert goes_on.wait(30)
        return for_writing(engine)

    monkeypatch.setattr("alerts.blocking.blocklist.for_writing", slow)
    later = NOW + timedelta(minutes=1)
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(blocklist.listing, later)
            assert waits.wait(10)
            told = pool.submit(blocklist.listing, later).result(5)
        finally:
            goes_on.set()
        assert [block.address for block in told.blocks] == ["1.2.3.5"]
        assert told.waiting == 1
        assert [block.address for block in first.result(10).blocks] == ["1.2.3.5", "1.2.3.6"]


def test_a_list_that_cannot_be_written_is_told(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(small.engine).record([attack("1.2.3.4"), attack("1.2.3.5")], watermark=None)
    assert len(listed(small)) == 2
    change = Change(status="closed", resolution="benign")
    change_incident(small.engine, 1, change, actor="mia", now=NOW)

    def busy(_: Engine) -> Engine:
        raise OperationalError("begin", {}, Exception("database is locked"))

    monkeypatch.setattr("alerts.blocking.blocklist.for_writing", busy)
    assert listed(small) == ["1.2.3.5"], "what is to leave is not told any more"


def test_a_dry_run_gives_nothing_away(engine: Engine, tmp_path: Path) -> None:
    with application(engine, tmp_path, options(dry_run=True)) as api:
        Store(engine).record([attack("1.2.3.4")], watermark=None)
        assert listed(api) == []
        client = api.client()
        assert len(client.get("/api/v1/blocklist").json()["blocks"]) == 1
        assert client.get("/v1/decisions").json() is None
        assert client.get("/v1/decisions/stream?startup=true").json() == {
            "new": None,
            "deleted": None,
        }


def test_off_by_default(engine: Engine, tmp_path: Path) -> None:
    with application(engine, tmp_path) as api:
        Store(engine).record([attack("1.2.3.4")], watermark=None)
        assert listed(api) == []
        assert "switched off" in api.client().get("/api/v1/blocklist").json()["why_empty"]


def test_the_kill_switch(api: Api) -> None:
    Store(api.engine).record([attack("1.2.3.4")], watermark=None)
    assert listed(api) == ["1.2.3.4"]
    admin = api.client(Role.ADMIN)
    assert api.client(Role.ANALYST).post("/api/v1/blocklist/off").status_code == 403
    off = admin.post("/api/v1/blocklist/off").json()
    assert off["blocks"] == []
    assert "switched off by test" in off["why_empty"]
    assert listed(api) == []
    admin.post("/api/v1/blocklist/on")
    assert listed(api) == ["1.2.3.4"]


def test_a_bouncer_keeps_up(api: Api) -> None:
    """As CrowdSec's bouncers ask: all at the start, then what came and left."""
    store = Store(api.engine)
    store.record([attack("1.2.3.4"), attack("2600::77")], watermark=None)
    bouncer = api.client(Role.VIEWER, "blocklist")
    start = bouncer.get("/v1/decisions/stream?startup=true").json()
    assert start["deleted"] is None
    first, second = start["new"]
    assert first == {
        "id": 1,
        "origin": "vedette",
        "type": "ban",
        "scope": "Ip",
        "value": "1.2.3.4",
        "duration": "4h1m0s",
        "scenario": "vedette/burst",
    }
    assert (second["scope"], second["value"]) == ("Range", "2600::/64")
    api.clock += timedelta(seconds=10)
    assert bouncer.get("/v1/decisions/stream").json() == {"new": None, "deleted": None}
    store.record([attack("1.2.3.5")], watermark=None)
    change_incident(
        api.engine, 1, Change(status="closed", resolution="benign"), actor="mia", now=NOW
    )
    api.clock += timedelta(seconds=10)
    later = bouncer.get("/v1/decisions/stream").json()
    assert [each["value"] for each in later["new"]] == ["1.2.3.5"]
    assert [each["value"] for each in later["deleted"]] == ["1.2.3.4"]
    only = bouncer.get("/v1/decisions/stream?startup=true&scopes=ip").json()
    assert [each["value"] for each in only["new"]] == ["1.2.3.5"]


def test_a_bouncer_asks_for_an_address(api: Api) -> None:
    Store(api.engine).record([attack("1.2.3.4"), attack("2600::77")], watermark=None)
    bouncer = api.client(Role.VIEWER, "blocklist")
    assert len(bouncer.get("/v1/decisions").json()) == 2
    (one,) = bouncer.get("/v1/decisions?ip=1.2.3.4").json()
    assert one["value"] == "1.2.3.4"
    (range_,) = bouncer.get("/v1/decisions?ip=2600::1:2").json()
    assert range_["value"] == "2600::/64"
    assert bouncer.get("/v1/decisions?ip=1.2.3.5").json() is None
    assert bouncer.get("/v1/decisions?ip=nonsense").json() is None
    assert bouncer.get("/v1/decisions?scope=Range&type=ban").json() == [range_]
    assert bouncer.get("/v1/decisions?type=captcha").json() is None
    assert api.client(None).get("/v1/decisions").status_code == 401
    assert api.client(Role.ADMIN, "incidents").get("/v1/decisions").status_code == 403


@pytest.mark.parametrize(
    ("length", "written"),
    [(0, "0h0m0s"), (59, "0h0m59s"), (3_661, "1h1m1s"), (90_000, "25h0m0s"), (-5, "-5s")],
)
def test_durations_are_go_s(length: int, written: str) -> None:
    assert go_duration(timedelta(seconds=length)) == written


def test_what_may_block_is_about_clients() -> None:
    about = {rule.name: rule.entity_type for rule in load_catalogue().rules}
    assert {about[name] for name in BLOCKABLE} == {"client"}
