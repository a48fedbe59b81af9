"""One entity, and everything that is known of it."""

from dataclasses import replace

from alerts.storage.store import Store
from tests.api.calls import Api, finding


def test_an_entity_with_incidents(api: Api) -> None:
    by_many = replace(
        finding(0, "POST /login"),
        entity_type="route",
        members=frozenset({"203.0.113.7", "10.0.0.1"}),
    )
    tags = ("attack.t1595",)
    Store(api.engine).record(
        [finding(0), replace(finding(100, detector="burst"), tags=tags), by_many], watermark=None
    )
    client = api.client()
    answer = client.get("/api/v1/entities/client", params={"entity": "203.0.113.7"})
    assert answer.status_code == 200
    entity = answer.json()
    assert (entity["incident_count"], entity["open_count"]) == (2, 2)
    assert entity["severity"] == "high"
    assert [each["name"] for each in entity["detectors"]] == ["burst", "recon"]
    assert entity["paths"] == [{"name": "/.env", "count": 2}]
    assert len(entity["incidents"]) == 2
    assert len(entity["part_of"]) == 1
    assert entity["first_at"] < entity["last_at"]


def test_an_entity_without_any(api: Api) -> None:
    client = api.client()
    assert client.get("/api/v1/entities/client", params={"entity": "10.9.9.9"}).status_code == 404
    assert client.get("/api/v1/entities/planet", params={"entity": "x"}).status_code == 422
    assert client.get("/api/v1/entities/client").status_code == 422
