"""Changing incidents over the API: what was seen is what is changed, and who did it is kept."""

import pytest

from alerts.access.audit import list_deeds
from alerts.access.keys import Role
from alerts.lists.queries import get_incident
from alerts.storage.store import Store
from tests.api.calls import Api, finding

INCIDENT = "/api/v1/incidents/1"


@pytest.fixture
def stored(api: Api) -> Api:
    Store(api.engine).record([finding(0)], watermark=None)
    return api


def test_a_change_of_what_was_seen(stored: Api) -> None:
    client = stored.client(Role.ANALYST)
    tag = client.get(INCIDENT).headers["etag"]
    change = {"status": "acknowledged", "assignee": "mia", "add_labels": ["vip"]}
    answer = client.patch(INCIDENT, json=change, headers={"If-Match": tag})
    assert answer.status_code == 200
    assert answer.json()["status"] == "acknowledged"
    assert (answer.json()["assignee"], answer.json()["labels"]) == ("mia", ["vip"])
    assert answer.headers["etag"] not in {tag, ""}
    back = client.patch(INCIDENT, json={"assignee": None}, headers={"If-Match": "*"})
    assert back.json()["assignee"] is None
    assert back.json()["status"] == "acknowledged"
    detail = get_incident(stored.engine, 1)
    assert detail is not None
    assert {entry.actor for entry in detail.timeline if entry.action == "assigned"} == {"test"}


def test_nobody_s_change_is_lost(stored: Api) -> None:
    """Without the check of the version the second of two analysts undoes what the first did."""
    client = stored.client(Role.ANALYST)
    tag = client.get(INCIDENT).headers["etag"]
    first = client.patch(INCIDENT, json={"assignee": "mia"}, headers={"If-Match": tag})
    second = client.patch(INCIDENT, json={"assignee": "tom"}, headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["etag"] == first.headers["etag"]
    assert client.patch(INCIDENT, json={"assignee": "tom"}).status_code == 428
    for foreign in ('"2-1"', "garbage", '"1-99999999999999999999"'):
        answer = client.patch(INCIDENT, json={"assignee": "x"}, headers={"If-Match": foreign})
        assert answer.status_code == 412
    assert client.get(INCIDENT).json()["assignee"] == "mia"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 409),
        ({"status": "closed"}, 409),  # as what?
        ({"status": "gone"}, 422),
        ({"severity": "low"}, 422),
        ({"add_labels": ["x" * 65]}, 422),
        ({"comment": ""}, 422),
        ({"assignee": "a" * 101}, 422),
        ([1], 422),
    ],
)
def test_changes_that_cannot_be(stored: Api, body: object, status: int) -> None:
    answer = stored.client(Role.ANALYST).patch(INCIDENT, json=body, headers={"If-Match": "*"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_comments(stored: Api) -> None:
    client = stored.client(Role.ANALYST)
    text = "=cmd|' /C calc'!A0 <script>alert(1)</script>"
    answer = client.post(f"{INCIDENT}/comments", json={"text": text})
    assert answer.status_code == 201
    ((comment),) = answer.json()["comments"]
    assert (comment["actor"], comment["text"]) == ("test", text)
    assert client.post("/api/v1/incidents/9/comments", json={"text": "x"}).status_code == 404


def test_viewers_change_nothing(stored: Api) -> None:
    client = stored.client(Role.VIEWER)
    headers = {"If-Match": "*"}
    assert client.patch(INCIDENT, json={"assignee": "x"}, headers=headers).status_code == 403
    assert client.post(f"{INCIDENT}/comments", json={"text": "x"}).status_code == 403
    assert client.post("/api/v1/silences", json={}).status_code == 403
    assert client.delete("/api/v1/silences/1").status_code == 403


def test_what_it_has_to_do_with_and_who_was_told(stored: Api) -> None:
    Store(stored.engine).record([finding(100)], watermark=None)
    client = stored.client()
    (later,) = client.get(f"{INCIDENT}/related").json()
    assert (later["relation"], later["id"]) == ("later", 2)
    assert client.get(f"{INCIDENT}/deliveries").json() == []
    assert client.get("/api/v1/incidents/9/related").status_code == 404


def test_every_change_is_audited(stored: Api) -> None:
    client = stored.client(Role.ANALYST)
    client.patch(INCIDENT, json={"assignee": "mia"}, headers={"If-Match": "*"})
    client.post(f"{INCIDENT}/comments", json={"text": "seen"})
    made = client.post(
        "/api/v1/silences",
        json={"matchers": {"entity": ["203.0.113.7"]}, "minutes": 5, "comment": "ours"},
    )
    assert made.status_code == 201
    assert client.delete("/api/v1/silences/1").status_code == 200
    done = list_deeds(stored.engine, outcome="done")
    assert [(deed.action, deed.subject) for deed in reversed(done)] == [
        ("PATCH /api/v1/incidents/{incident_id}", "incident 1"),
        ("POST /api/v1/incidents/{incident_id}/comments", "incident 1"),
        ("POST /api/v1/silences", "silence 1"),
        ("DELETE /api/v1/silences/{silence_id}", "silence 1"),
    ]
    assert {deed.actor for deed in done} == {"test"}


def test_silences(stored: Api) -> None:
    client = stored.client(Role.ANALYST)
    body = {"matchers": {"entity": ["203.0.113.7"]}, "comment": "our scanner"}
    assert client.post("/api/v1/silences", json=body).status_code == 409  # how long?
    made = client.post("/api/v1/silences", json=body | {"minutes": 60}).json()
    assert (made["state"], made["created_by"]) == ("active", "test")
    assert [each["id"] for each in client.get("/api/v1/silences").json()] == [made["id"]]
    assert client.delete(f"/api/v1/silences/{made['id']}").json()["state"] == "expired"
    assert client.delete(f"/api/v1/silences/{made['id']}").status_code == 409
    assert client.delete("/api/v1/silences/77").status_code == 404
    assert client.get("/api/v1/silences").json() == []
    assert len(client.get("/api/v1/silences?expired=true").json()) == 1
    everything = {"matchers": {}, "minutes": 1, "comment": "x"}
    assert client.post("/api/v1/silences", json=everything).status_code == 409
    unknown = {"matchers": {"colour": ["red"]}, "minutes": 1, "comment": "x"}
    assert client.post("/api/v1/silences", json=unknown).status_code == 422
