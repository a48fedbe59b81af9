"""Keys, sessions, limits and the audit: each with the attack that it stops."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from alerts.access.audit import AuditLog, Deed, expire_deeds, list_deeds
from alerts.access.keys import Role
from alerts.access.sessions import IDLE_LIFE, SESSION_LIFE
from alerts.storage.store import Store
from api.access import COOKIE, CSRF_HEADER, SECURE_COOKIE
from api.application import ApiOptions
from api.limit_settings import LimitSettings
from api.limits import counted_as
from api.middleware import BODY_LIMIT, HEADERS, PARAMETERS
from tests.api.calls import MINUTE, NOW, Api, application, finding

INCIDENT = "/api/v1/incidents/1"


@pytest.fixture
def small(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    limits = LimitSettings(authentication=3, read=5, write=2, address=40)
    options = ApiOptions(limits, hosts=("testserver", "127.0.0.1", "::1"))
    with application(engine, tmp_path, options) as opened:
        yield opened


def refusals(api: Api) -> list[tuple[int, str, int]]:
    api.app.state.services.audit.flush()
    found = list_deeds(api.engine, outcome="refused")
    return sorted((deed.status, deed.action, deed.count) for deed in found)


def logged_in(api: Api, base: str = "http://testserver") -> tuple[TestClient, str]:
    client = TestClient(api.app, base_url=base)
    api.opened.append(client)
    answer = client.post("/login", json={"code": api.code()})
    assert answer.status_code == 200
    return client, str(answer.json()["csrf"])


def test_a_scope_is_a_wall(api: Api) -> None:
    client = api.client(Role.ADMIN, "silences")
    assert client.get("/api/v1/silences").status_code == 200
    for path in ("incidents", "keys", "audit", "detectors", "deliveries", "gaps"):
        assert client.get(f"/api/v1/{path}").status_code == 403
    assert client.get("/metrics").status_code == 403


def test_keys_are_made_shown_once_rotated_and_revoked(api: Api) -> None:
    client = api.client(Role.ADMIN)
    made = client.post("/api/v1/keys", json={"name": "grafana", "role": "viewer"})
    assert made.status_code == 201
    secret, identity = made.json()["key"], made.json()["id"]
    assert secret not in client.get("/api/v1/keys").text
    assert api.keys.verify_key(secret, NOW) is not None
    rotated = client.post(f"/api/v1/keys/{identity}/rotate").json()
    assert rotated["key"] != secret
    assert (rotated["name"], rotated["role"]) == ("grafana", "viewer")
    assert api.keys.verify_key(secret, NOW) is not None, "both work for a day"
    again = client.post(f"/api/v1/keys/{identity}/rotate")
    assert again.status_code == 409
    assert again.json()["detail"] == (
        f"key {identity} was replaced by {rotated['id']} before; rotate that one"
    )
    assert api.keys.verify_key(secret, NOW + timedelta(days=2)) is None
    assert client.delete(f"/api/v1/keys/{rotated['id']}").status_code == 204
    assert client.delete(f"/api/v1/keys/{rotated['id']}").status_code == 404
    assert api.keys.verify_key(rotated["key"], NOW) is None
    stored = [deed.detail for deed in list_deeds(api.engine)]
    assert stored
    assert secret not in str(stored)


def test_nobody_makes_a_key_that_may_do_more_than_their_own(api: Api) -> None:
    """Broken function level authorisation: an admin of keys alone is no admin of all."""
    client = api.client(Role.ADMIN, "keys")
    all_of_it = client.post("/api/v1/keys", json={"name": "x", "role": "admin"})
    more = client.post(
        "/api/v1/keys", json={"name": "x", "role": "admin", "scopes": ["keys", "audit"]}
    )
    same = client.post("/api/v1/keys", json={"name": "x", "role": "admin", "scopes": ["keys"]})
    assert (all_of_it.status_code, more.status_code, same.status_code) == (403, 403, 201)
    other, _ = api.keys.create_key("other", Role.ADMIN, NOW)
    assert client.post(f"/api/v1/keys/{other.id}/rotate").status_code == 403


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_keys_and_audit_are_for_admins(api: Api, role: Role) -> None:
    client = api.client(role)
    assert client.get("/api/v1/keys").status_code == 403
    assert client.get("/api/v1/audit").status_code == 403
    assert client.post("/api/v1/keys", json={"name": "x", "role": "viewer"}).status_code == 403


def test_a_code_begins_one_session_and_no_more(api: Api) -> None:
    code = api.code()
    client = TestClient(api.app)
    api.opened.append(client)
    assert client.post("/login", json={"code": code}).status_code == 200
    assert client.post("/login", json={"code": code}).status_code == 403, "seen over a shoulder"
    late = api.code()
    api.clock += timedelta(minutes=11)
    assert client.post("/login", json={"code": late}).status_code == 403
    for wrong in ("", "x" * 129):
        assert client.post("/login", json={"code": wrong}).status_code == 422


def test_a_session_reads_and_with_its_token_changes(api: Api) -> None:
    """Cross-site request forgery: the cookie comes with a foreign form, the token does not."""
    Store(api.engine).record([finding(0)], watermark=None)
    client, csrf = logged_in(api)
    assert client.get(INCIDENT).status_code == 200
    who = client.get("/api/v1/session").json()
    assert (who["name"], who["role"], who["csrf"]) == ("mia", "analyst", csrf)
    change = {"assignee": "mia"}
    for forged in ({}, {CSRF_HEADER: ""}, {CSRF_HEADER: "0" * 64}):
        answer = client.patch(INCIDENT, json=change, headers={"If-Match": "*", **forged})
        assert answer.status_code == 403
    headers = {"If-Match": "*", CSRF_HEADER: csrf}
    assert client.patch(INCIDENT, json=change, headers=headers).status_code == 200


def test_sessions_may_what_their_key_may(api: Api) -> None:
    key, _ = api.keys.create_key("firewall", Role.ANALYST, NOW, scopes=["blocklist"])
    client = TestClient(api.app)
    api.opened.append(client)
    code = api.sessions.create_code(key.id, api.clock).get_secret_value()
    assert client.post("/login", json={"code": code}).status_code == 200
    assert client.get("/api/v1/blocklist").status_code == 200
    assert client.get("/api/v1/incidents").status_code == 403


def test_tabs_of_somebody_who_slept_lock_nobody_out(small: Api) -> None:
    client, _ = logged_in(small)
    small.clock += IDLE_LIFE
    for _ in range(5):
        assert client.get("/api/v1/incidents").status_code == 401
    fresh, _ = logged_in(small)
    assert fresh.get("/api/v1/incidents").status_code == 200
    assert small.client().get("/api/v1/incidents").status_code == 200


def test_over_tls_a_planted_cookie_is_no_session(api: Api) -> None:
    """A neighbour under the same domain can set a cookie, but not one whose name begins __Host-."""
    client, _ = logged_in(api)
    planted = TestClient(api.app, base_url="https://testserver")
    api.opened.append(planted)
    planted.cookies.set(COOKIE, str(client.cookies.get(COOKIE)))
    assert planted.get("/api/v1/incidents").status_code == 401


def test_a_key_with_scopes_ends_none_that_may_more(api: Api) -> None:
    client = api.client(Role.ADMIN, "keys")
    whole, _ = api.keys.create_key("root", Role.ADMIN, NOW)
    path = f"/api/v1/keys/{whole.id}"
    answers = [
        client.post("/api/v1/keys", json={"name": "more", "role": "admin"}),
        client.post(f"{path}/rotate"),
        client.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert [status for status, _, _ in refusals(api)] == [403] * 3
    assert client.delete(f"/api/v1/keys/{'0' * 12}").status_code == 404
    own, _ = api.keys.create_key("another", Role.VIEWER, NOW, scopes=["keys"])
    assert client.delete(f"/api/v1/keys/{own.id}").status_code == 204


def test_what_the_audit_could_not_write_is_written_later(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit: AuditLog = api.app.state.services.audit
    write = audit._write

    def busy(_deeds: object) -> None:
        raise OperationalError("insert", {}, Exception("database is locked"))

    monkeypatch.setattr(audit, "_write", busy)
    made = api.client(Role.ADMIN).post("/api/v1/keys", json={"name": "made", "role": "viewer"})
    assert made.status_code == 201
    api.client(None).get("/api/v1/incidents")
    with pytest.raises(OperationalError):
        audit.flush()
    api.client(None).get("/api/v1/incidents")
    monkeypatch.setattr(audit, "_write", write)
    assert refusals(api) == [(401, "GET /api/v1/incidents", 2)]
    assert [deed.subject for deed in list_deeds(api.engine, outcome="done")] == [
        f"key {made.json()['id']}"
    ]


def test_sessions_end(api: Api) -> None:
    client, csrf = logged_in(api)
    stolen = dict(client.cookies)
    assert client.delete("/api/v1/session", headers={CSRF_HEADER: csrf}).status_code == 204
    assert not client.cookies
    client.cookies.update(stolen)
    assert client.get("/api/v1/incidents").status_code == 401, "logged out is out, on the server"
    for wait in (IDLE_LIFE, SESSION_LIFE):
        client, _ = logged_in(api)
        api.clock += wait
        assert client.get("/api/v1/incidents").status_code == 401
    client, _ = logged_in(api)
    for key in api.keys.list_keys():
        api.keys.revoke_key(key.id, api.clock)
    assert client.get("/api/v1/incidents").status_code == 401, "a session ends with its key"


def test_cookies_are_out_of_reach(api: Api) -> None:
    client = TestClient(api.app, base_url="https://testserver")
    api.opened.append(client)
    answer = client.post("/login", json={"code": api.code()})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    plain = TestClient(api.app)
    api.opened.append(plain)
    shown = plain.post("/login", json={"code": api.code()}).headers["set-cookie"]
    assert shown.startswith(f"{COOKIE}=")
    assert "strict-transport-security" not in plain.get("/healthz").headers
    stored = str(api.engine.connect().execute(text("select mac from sessions")).all())
    assert cookie.partition("=")[2].partition(";")[0] not in stored


def test_guessing_keys_ends_soon(small: Api) -> None:
    """Broken authentication: after some failures not even the right key is tried from there."""
    good = small.client()
    assert good.get("/api/v1/incidents").status_code == 200
    guesser = small.client(None)
    tried = [
        guesser.get("/api/v1/incidents", headers={"X-API-Key": f"vdt_000000000000_{n}"})
        for n in range(5)
    ]
    assert [answer.status_code for answer in tried] == [401, 401, 401, 429, 429]
    assert int(tried[-1].headers["retry-after"]) >= 1
    assert good.get("/api/v1/incidents").status_code == 429
    assert guesser.post("/login", json={"code": "x"}).status_code == 429
    assert refusals(small)[0] == (401, "GET /api/v1/incidents", 3)


def test_limits_of_a_caller_are_told_and_kept(small: Api) -> None:
    """Unrestricted resource consumption."""
    client, other = small.client(Role.ANALYST), small.client()
    reads = [client.get("/api/v1/silences") for _ in range(6)]
    assert [answer.status_code for answer in reads] == [200] * 5 + [429]
    assert reads[0].headers["ratelimit-policy"] == '"read";q=5;w=60'
    assert reads[0].headers["ratelimit"].startswith('"read";r=4;t=')
    assert int(reads[-1].headers["retry-after"]) >= 1
    assert reads[-1].headers["content-type"] == "application/problem+json"
    assert client.delete("/api/v1/silences/1").status_code == 404, "writes have their own"
    assert other.get("/api/v1/silences").status_code == 200, "so has everybody else"


def test_limits_of_an_address(small: Api) -> None:
    client = small.client(None)
    codes = [client.get("/healthz").status_code for _ in range(45)]
    assert codes == [200] * 40 + [429] * 5
    assert client.get("/healthz").headers["x-request-id"]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_customer_s_network_counts_as_one(address: str | None, counted: str) -> None:
    assert counted_as(address) == counted


def test_other_hosts_are_refused(small: Api) -> None:
    """DNS rebinding: a page of somebody's lets its own name point at this address."""
    client = small.client()
    for host in ("evil.example", "evil.example:8787", "127.0.0.1.evil.example", ""):
        assert client.get("/api/v1/incidents", headers={"Host": host}).status_code == 421
    for host in ("127.0.0.1:8787", "[::1]:8787", "TESTSERVER"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_what_is_too_large_is_refused_unread(api: Api) -> None:
    client = api.client(Role.ANALYST)
    body = b'{"text": "' + b"x" * BODY_LIMIT + b'"}'
    path = f"{INCIDENT}/comments"
    headers = {"Content-Type": "application/json"}
    assert client.post(path, content=body, headers=headers).status_code == 413
    chunks = (body[at : at + 999] for at in range(0, len(body), 999))
    assert client.post(path, content=chunks, headers=headers).status_code == 413
    many = {f"X-{n}": "x" for n in range(HEADERS + 1)}
    assert client.get("/healthz", headers=many).status_code == 431
    assert client.get("/healthz", headers={"X-Long": "x" * 20_000}).status_code == 431
    query = "&".join("status=open" for _ in range(PARAMETERS + 1))
    assert client.get(f"/api/v1/incidents?{query}").status_code == 414


def test_refusals_of_a_flood_are_few_rows(engine: Engine) -> None:
    """Whoever asks without a key, often, is not to fill the database or keep it busy."""
    audit = AuditLog(engine)
    for n in range(3_000):
        address = f"10.0.{n // 256}.{n % 256}"
        audit.refused(Deed(NOW, None, None, "GET /x", None, "refused", 401, address, "r", {}))
    audit.close()
    rows = list_deeds(engine, limit=200)
    with engine.connect() as connection:
        count, total = connection.execute(text("select count(*), sum(count) from audit")).one()
    assert total == 3_000
    assert count <= 3_000
    assert rows[0].status == 401
    again = AuditLog(engine)
    for _ in range(500):
        again.refused(Deed(NOW, None, None, "GET /y", None, "refused", 401, "a", "r", {}))
    again.close()
    assert list_deeds(engine)[0].count <= 500


def test_the_audit_is_kept_for_a_while(engine: Engine) -> None:
    audit = AuditLog(engine)
    for days in range(4):
        at = NOW - timedelta(days=days)
        audit.done(Deed(at, "mia", "key:1", "PATCH /x", "incident 1", "done", 200, None, "r", {}))
    audit.close()
    assert expire_deeds(engine, NOW, timedelta(days=2, minutes=1)) == 1
    assert expire_deeds(engine, NOW, timedelta(days=99), kept=2) == 1
    assert len(list_deeds(engine)) == 2


def test_the_audit_pages(api: Api) -> None:
    client = api.client(Role.ADMIN)
    for n in range(5):
        client.post("/api/v1/keys", json={"name": f"k{n}", "role": "viewer"})
    first = client.get("/api/v1/audit?outcome=done&limit=3").json()
    rest = client.get(f"/api/v1/audit?outcome=done&before={first['next_before']}").json()
    names = [item["detail"]["name"] for item in first["items"] + rest["items"]]
    assert names == ["k4", "k3", "k2", "k1", "k0"]
    assert rest["next_before"] is None


def test_minutes_of_refusals(api: Api) -> None:
    stranger = api.client(None)
    for _ in range(3):
        stranger.get("/api/v1/incidents")
    api.clock += MINUTE
    stranger.get("/api/v1/incidents")
    assert [count for _, _, count in refusals(api)] == [1, 3]
