"""The OWASP API Security Top 10 (2023), each item as the attack that it would be on this API."""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.access.sessions import IDLE_LIFE
from alerts.incidents.views import IncidentView
from alerts.storage.store import Store
from api.answers import IncidentAnswer
from api.application import ApiOptions
from api.description import describe
from api.limit_settings import LimitSettings
from api.middleware import BODY_LIMIT
from detectors.findings import Evidence
from tests.api.calls import MINUTE, NOW, Api, application, finding

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

INCIDENT: Final = "/api/v1/incidents/1"

#: What a log can hold of an attacker's: markup, terminal escapes, formulas, a fake line, SQL.
HOSTILE: Final = (
    "=cmd()|'<script>alert(1)</script>\x1b[2J\r\nX-Evil: 1\u202e'; DROP TABLE incidents--"
)


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    """An application with two incidents and small limits."""
    limits = LimitSettings(authentication=3, read=60, write=5, export=2, address=400)
    options = ApiOptions(limits, hosts=("testserver",))
    with application(engine, tmp_path, options) as opened:
        Store(engine).record([finding(0), finding(0, "198.51.100.1")], watermark=None)
        yield opened


def logged_in(api: Api, role: Role = Role.ANALYST) -> TestClient:
    client = TestClient(api.app, base_url="https://testserver", raise_server_exceptions=False)
    api.opened.append(client)
    assert client.post("/login", json={"code": api.code(role)}).status_code == 200
    return client


def test_api1_broken_object_level_authorization(shop: Api) -> None:
    """Somebody names an object that is another's: a session, a key, a version, a page."""
    mine, other = logged_in(shop), logged_in(shop)
    csrf = mine.get("/api/v1/session").json()["csrf"]
    assert mine.delete("/api/v1/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert other.get("/api/v1/session").status_code == 200, "it ended nobody else's"
    limited = shop.client(Role.ADMIN, "keys")
    foreign, _ = shop.keys.create_key("all of it", Role.ADMIN, NOW)
    assert limited.post(f"/api/v1/keys/{foreign.id}/rotate").status_code == 403
    reader = shop.client(Role.VIEWER, "silences")
    for path in ("", "/1", "/1/related", "/1/deliveries", "/1/export"):
        assert reader.get(f"/api/v1/incidents{path}").status_code == 403
    analyst = shop.client(Role.ANALYST)
    tag = analyst.get(INCIDENT).headers["etag"]
    moved = analyst.patch("/api/v1/incidents/2", json={"assignee": "x"}, headers={"If-Match": tag})
    assert moved.status_code == 412, "the version of one incident opens no other"
    for number in ("0", "-1", "99", "1e9", "9223372036854775808", "1;2"):
        assert analyst.get(f"/api/v1/incidents/{number}").status_code in {404, 422}


def test_api2_broken_authentication(shop: Api) -> None:
    """Guessed, cut, foreign, expired and revoked keys; keys where they would be logged."""
    key, secret = shop.keys.create_key("k", Role.VIEWER, NOW, NOW + timedelta(hours=1))
    text = secret.get_secret_value()
    client = shop.client(None)

    def ask(header: dict[str, str], query: str = "") -> int:
        return client.get(f"/api/v1/incidents{query}", headers=header).status_code

    assert ask({"X-API-Key": text}) == 200
    assert ask({}, f"?api_key={text}") == 401
    assert ask({"Authorization": f"Basic {text}"}) == 401
    assert ask({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}) == 401
    assert ask({"X-API-Key": text[:-1]}) == 401
    shop.clock += timedelta(hours=2)
    assert ask({"X-API-Key": text}) == 401, "it has expired"
    assert ask({"X-API-Key": f"vdt_{key.id}_{'x' * 43}"}) == 429, "no more guesses from here"
    fresh, again = shop.keys.create_key("f", Role.VIEWER, shop.clock)
    assert ask({"X-API-Key": again.get_secret_value()}) == 429
    assert shop.keys.revoke_key(fresh.id, shop.clock)


def test_api2_sessions_end_and_cannot_be_fixed(shop: Api) -> None:
    """A cookie chosen by an attacker is no session; a forgotten one ends by itself."""
    stranger = shop.client(None)
    stranger.cookies.set("vedette_session", "chosen")
    assert stranger.get("/api/v1/session").status_code == 401
    mine = logged_in(shop)
    shop.clock += IDLE_LIFE + MINUTE
    assert mine.get("/api/v1/session").status_code == 401


def test_api3_broken_object_property_level_authorization(api: Api) -> None:
    """Properties that nobody may set are refused, those that nobody needs are not shown."""
    Store(api.engine).record([finding(0)], watermark=None)
    analyst = api.client(Role.ANALYST)
    before = analyst.get(INCIDENT).json()
    assert set(before) == {each.name for each in fields(IncidentAnswer)}
    listed = analyst.get("/api/v1/incidents").json()["items"]
    assert {*listed[0]} == {each.name for each in fields(IncidentView)}
    for name in (*before, "decided_at", "parent_id", "actor"):
        if name not in {"status", "resolution", "assignee"}:
            body = {"assignee": "mia", name: before.get(name, 1)}
            answer = analyst.patch(INCIDENT, json=body, headers={"If-Match": "*"})
            assert answer.status_code == 422, name
    assert analyst.get(INCIDENT).json() == before
    admin = api.client(Role.ADMIN)
    made = admin.post("/api/v1/keys", json={"name": "x", "role": "viewer", "id": "0" * 12})
    assert made.status_code == 422
    shown = admin.get("/api/v1/keys").json()
    assert not [key for key in shown if {"mac", "key", "secret"} & set(key)]


def test_api4_unrestricted_resource_consumption(shop: Api) -> None:
    """Too many, too large, too many at once, too much in one answer."""
    analyst = shop.client(Role.ANALYST)
    assert analyst.get("/api/v1/incidents?limit=201").status_code == 422
    assert analyst.get("/api/v1/endpoints?limit=100000").status_code == 422
    assert analyst.get(f"/api/v1/incidents?text={'x' * 5_000}").status_code == 414
    big = b'{"text": "' + b"x" * BODY_LIMIT + b'"}'
    assert analyst.post(f"{INCIDENT}/comments", content=big).status_code == 413
    deep = "[" * 20_000 + "]" * 20_000
    headers = {"Content-Type": "application/json"}
    assert analyst.post(f"{INCIDENT}/comments", content=deep, headers=headers).status_code < 500
    exports = [analyst.get(f"{INCIDENT}/export").status_code for _ in range(3)]
    assert exports == [200, 200, 429]
    reads = [analyst.get(INCIDENT) for _ in range(70)]
    assert reads[-1].status_code == 429
    assert int(reads[-1].headers["retry-after"]) > 0


def test_api5_broken_function_level_authorization(shop: Api) -> None:
    """A viewer asks for the functions of others, by their method, in another case, with slashes."""
    viewer = shop.client(Role.VIEWER)
    silence = {"matchers": {"entity": ["x"]}, "minutes": 1, "comment": "x"}
    for method, path, body in (
        ("PATCH", INCIDENT, {"assignee": "me"}),
        ("POST", f"{INCIDENT}/comments", {"text": "x"}),
        ("POST", "/api/v1/silences", silence),
        ("POST", "/api/v1/blocklist/on", None),
        ("POST", "/api/v1/keys", {"name": "x", "role": "admin"}),
        ("GET", "/api/v1/keys", None),
        ("GET", "/api/v1/audit", None),
    ):
        headers = {"If-Match": "*", "X-HTTP-Method-Override": "GET", "X-Original-URL": "/healthz"}
        assert viewer.request(method, path, json=body, headers=headers).status_code == 403, path
    for path in (
        "/api/v1/KEYS",
        "/api/v1/keys/",
        "//api/v1/keys",
        "/api/v1/%6beys",
        "/api/v2/keys",
    ):
        assert viewer.get(path).status_code in {403, 404}, path


def test_api6_unrestricted_access_to_sensitive_business_flows(shop: Api) -> None:
    """Silencing all, letting attackers go, and making keys are for few, slow, and written down."""
    analyst = shop.client(Role.ANALYST)
    all_of_it = {"matchers": {}, "minutes": 60, "comment": "quiet"}
    assert analyst.post("/api/v1/silences", json=all_of_it).status_code in {409, 422}
    answers = [
        analyst.patch(INCIDENT, json={"assignee": f"p{n}"}, headers={"If-Match": "*"}).status_code
        for n in range(6)
    ]
    assert answers[-1] == 429
    admin = shop.client(Role.ADMIN)
    deeds = admin.get("/api/v1/audit").json()["items"]
    assert [deed["actor"] for deed in deeds if deed["subject"] == "incident 1"]
    assert {deed["outcome"] for deed in deeds} == {"done", "refused"}


def test_api7_server_side_request_forgery(shop: Api) -> None:
    """Nothing that is sent here makes the server ask elsewhere: targets are in the settings."""
    words = ("url", "uri", "webhook", "callback", "target", "host", "endpoint", "issuer")
    document = describe(shop.app)
    for path, ways in document["paths"].items():
        for method, operation in ways.items():
            names = {each["name"] for each in operation.get("parameters", ())}
            body = json.dumps(operation.get("requestBody", {}))
            reference = body.partition('"#/components/schemas/')[2].partition('"')[0]
            if reference:
                names |= set(document["components"]["schemas"][reference].get("properties", ()))
            asked = {name for name in names if any(word in name.lower() for word in words)}
            assert asked <= {"target"}, (method, path)  # a name in the settings, to filter by
    admin = shop.client(Role.ADMIN)
    for path in ("targets", "notify", "settings"):
        assert admin.post(f"/api/v1/{path}", json={"url": "http://127.0.0.1"}).status_code == 404
    away = admin.get("http://169.254.169.254/latest/meta-data", follow_redirects=False)
    assert away.status_code == 421


def test_api8_security_misconfiguration(shop: Api) -> None:
    """Headers, other sites, errors, methods, insides."""
    viewer = shop.client(Role.VIEWER)
    answers = [
        viewer.get("/api/v1/incidents", headers={"Origin": "https://evil.example"}),
        viewer.options("/api/v1/incidents", headers={"Origin": "https://evil.example"}),
        viewer.request("TRACE", "/api/v1/incidents"),
        viewer.get("/api/v1/nothing"),
        viewer.get("/api/v1/incidents/x"),
        shop.client(None).get("/api/v1/incidents"),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not {"server", "x-powered-by"} & set(answer.headers)
    assert [answer.status_code for answer in answers[1:3]] == [405, 405]
    shop.app.state.services.engine.dispose()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE incident_terms")
    broken = viewer.get("/api/v1/incidents?label=x")
    assert broken.status_code == 503
    for word in ("sqlite", "incident_terms", "Traceback", ".py"):
        assert word not in broken.text
    for path in ("/docs", "/redoc", "/openapi.json", "/.env", "/debug", "/actuator"):
        assert viewer.get(path).status_code == 404, path


def test_api9_improper_inventory_management(shop: Api) -> None:
    """There is one version, all of it is described, and what is described is there."""
    document = describe(shop.app)
    versions = {path.split("/")[2] for path in document["paths"] if path.startswith("/api/")}
    assert versions == {"v1"}
    viewer = shop.client(Role.VIEWER)
    for old in ("/api/incidents", "/api/v0/incidents", "/v2/decisions", "/api/v1beta/incidents"):
        assert viewer.get(old).status_code == 404
    for path, ways in document["paths"].items():
        for way, operation in ways.items():
            assert not operation.get("deprecated"), (way, path)
            assert {"429", "500"} <= set(operation["responses"]), (way, path)


def test_api10_unsafe_consumption_of_apis(shop: Api) -> None:
    """What comes from logs is somebody's text: it stays text in JSON, CSV and headers."""
    first = NOW
    shown = Evidence(first, "log", 1, f"GET /{HOSTILE} 404", f"/{HOSTILE}", 404, HOSTILE)
    Store(shop.engine).record([replaced(finding(0, HOSTILE), (shown,))], watermark=None)
    viewer = shop.client(Role.VIEWER)
    (item,) = viewer.get("/api/v1/incidents", params={"text": "DROP TABLE"}).json()["items"]
    for path in ("", "/related", "/export", "/export?format=csv"):
        answer = viewer.get(f"/api/v1/incidents/{item['id']}{path}")
        assert answer.status_code == 200
        assert "\x1b" not in answer.text
        assert "\u202e" not in answer.text
        assert "x-evil" not in answer.headers
        assert answer.headers["content-type"].partition(";")[0] != "text/html"
        assert answer.headers["x-content-type-options"] == "nosniff"
    entity = viewer.get("/api/v1/entities/client", params={"entity": HOSTILE})
    assert entity.status_code == 200
    assert len(viewer.get("/api/v1/incidents").json()["items"]) == 3, "the table is still there"


def replaced(plain: Any, evidence: tuple[Evidence, ...]) -> Any:
    values = {each.name: getattr(plain, each.name) for each in fields(plain)}
    return type(plain)(**(values | {"evidence": evidence}))
