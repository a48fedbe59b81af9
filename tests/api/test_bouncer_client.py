"""CrowdSec's own client for bouncers against the block list, over a real socket."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pycrowdsec.client import QueryClient, StreamClient, StreamDecisionClient
from requests import HTTPError
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.actions import Change, change_incident
from alerts.blocking.settings import BlockSettings
from alerts.storage.store import Store
from api.application import ApiOptions
from api.server import ApiServer, serve
from detectors.findings import Finding
from tests.api.calls import NOW, Api, application, finding

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def api(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    settings = BlockSettings(enabled=True, detectors=("burst",))
    with application(engine, tmp_path, ApiOptions(blocklist=settings)) as opened:
        yield opened


@pytest.fixture
def server(api: Api) -> Iterator[ApiServer]:
    running = serve(api.app, port=0)
    yield running
    running.stop()


def attack(entity: str) -> Finding:
    return finding(0, entity, "burst")


def client(kind: Any, api: Api, server: ApiServer, **options: Any) -> Any:
    """One of the library's clients, with a key of its own, as an administrator sets it up."""
    _, key = api.keys.create_key("edge", Role.VIEWER, NOW, scopes=["blocklist"])
    made = kind(api_key=key.get_secret_value(), lapi_url=f"{server.url}/", **options)
    made.session.trust_env = False
    return made


def test_a_copy_is_kept(api: Api, server: ApiServer) -> None:
    store = Store(api.engine)
    store.record([attack("1.2.3.4"), attack("2600::77")], watermark=None)
    bouncer = client(StreamClient, api, server)
    bouncer.cycle("true")
    assert bouncer.get_current_decisions() == {"1.2.3.4/32": "ban", "2600::/64": "ban"}
    assert bouncer.get_action_for("1.2.3.4") == "ban"
    assert bouncer.get_action_for("2600::1:2") == "ban", "the network that it is in"
    assert bouncer.get_action_for("1.2.3.5") is None
    store.record([attack("1.2.3.5")], watermark=None)
    over = Change(status="closed", resolution="benign")
    change_incident(api.engine, 1, over, actor="mia", now=NOW)
    api.clock += timedelta(seconds=10)
    bouncer.cycle("false")
    assert bouncer.get_action_for("1.2.3.4") is None, "a person let it go"
    assert bouncer.get_action_for("1.2.3.5") == "ban"
    api.clock += timedelta(hours=5)
    bouncer.cycle("false")
    assert len(bouncer.cache) == 0
    assert bouncer.death_reason is None


def test_only_what_is_asked_for(api: Api, server: ApiServer) -> None:
    Store(api.engine).record([attack("1.2.3.4"), attack("2600::77")], watermark=None)
    for options, found in (
        ({"scopes": ("range",)}, ["2600::/64"]),
        ({"only_include_decisions_from": ("vedette", "x"), "scopes": ("ip",)}, ["1.2.3.4"]),
        ({"only_include_decisions_from": ("CAPI", "cscli")}, []),
        ({"include_scenarios_containing": ("ssh", "burst")}, ["1.2.3.4", "2600::/64"]),
        ({"include_scenarios_containing": ("ssh",)}, []),
        ({"exclude_scenarios_containing": ("vedette/",)}, []),
    ):
        bouncer = client(StreamDecisionClient, api, server, **options)
        bouncer.cycle("true")
        assert [decision["value"] for decision in bouncer.get_new_decision()] == found, options


def test_an_address_is_asked_for(api: Api, server: ApiServer) -> None:
    Store(api.engine).record([attack("1.2.3.4")], watermark=None)
    bouncer = client(QueryClient, api, server)
    assert bouncer.get_action_for("1.2.3.4") == "ban"
    (decision,) = bouncer.get_decisions_for("1.2.3.4")
    assert decision["duration"] == "4h1m0s"
    assert bouncer.get_decisions_for("1.2.3.5") is None, "as CrowdSec answers it"


def test_a_wrong_key_is_said(api: Api, server: ApiServer) -> None:
    bouncer = client(StreamClient, api, server)
    bouncer.session.headers["X-Api-Key"] = "vdt_000000000000_wrong"
    with pytest.raises(HTTPError, match="401"):
        bouncer.cycle("true")
