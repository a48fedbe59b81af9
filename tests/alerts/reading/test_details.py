"""One incident: where it came from, who was told, what it has to do with."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from alerts.database.models import DeliveryRow, IncidentRow, NotificationRow, TimelineRow
from alerts.lists.details import IncidentDetail
from alerts.lists.queries import get_incident, list_incidents
from alerts.lists.related import REASON_LIMIT, RELATED_LIMIT, RELATIONS
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.findings import Level
from tests.alerts.reading.stories import GUESSING, START, at, event, finding, record


def one(engine: Engine, entity: str) -> IncidentDetail:
    with engine.connect() as connection:
        query = select(IncidentRow.id).where(IncidentRow.entity == entity).order_by(IncidentRow.id)
        identity = connection.execute(query).scalars().first()
    detail = None if identity is None else get_incident(engine, identity)
    assert detail is not None
    return detail


def relations(engine: Engine, entity: str) -> dict[str, str]:
    return {other.entity: other.relation for other in one(engine, entity).related}


def test_where_from_and_services(engine: Engine) -> None:
    events = (
        event(0, service="shop", country="DE", asn=64_496, path="/a"),
        event(0.5, service="pay", country="DE", asn=None, path="/a"),
        event(1, country="FR", asn=0, status=None),
    )
    record(engine, finding(0, evidence=events))
    detail = one(engine, "203.0.113.7")
    assert detail.geo.to_dict() == {
        "countries": [{"country": "DE", "count": 2}, {"country": "FR", "count": 1}],
        "asns": [{"asn": 64_496, "count": 1}],
    }
    assert detail.incident.services == ("pay", "shop")
    assert detail.top_paths == (("/a", 2),)
    assert detail.statuses == ((404, 2),)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"country": "de"}, (None, None, None)),
        ({"country": "D\x1b"}, (None, None, None)),
        ({"asn": 2**40}, (None, None, None)),
        ({"asn": -4}, (None, None, None)),
        ({"service": "a\x1b[2J"}, ("a\\x1b[2J", None, None)),
        ({"service": "x", "country": "DE", "asn": 2**32 - 1}, ("x", "DE", 2**32 - 1)),
    ],
)
def test_hostile_places_are_not_kept(engine: Engine, given: Any, kept: Any) -> None:
    record(engine, finding(0, evidence=(event(0, **given),)))
    (item,) = one(engine, "203.0.113.7").evidence
    assert (item.service, item.country, item.asn) == kept


def test_who_was_told_and_why_not(engine: Engine) -> None:
    Store(engine).record(
        [finding(0)], watermark=None, routing=Routing.everything_to("ops", "night")
    )
    with engine.begin() as connection:
        message = {
            "id": 5, "target": "ops", "group_key": "", "idempotency_key": "k", "digest": False,
            "title": "t", "created_at": START, "state": "sent", "attempts": 2,
            "next_attempt_at": START, "last_error": "refused once", "sent_at": at(3),
        }  # fmt: skip
        connection.execute(insert(DeliveryRow), [message])
        told = update(NotificationRow).where(NotificationRow.target == "ops")
        connection.execute(told.values(state="sent", delivery_id=5))
        waits = update(NotificationRow).where(NotificationRow.target == "night")
        connection.execute(waits.values(reason="silence 1: planned"))
    ops, night = sorted(one(engine, "203.0.113.7").deliveries, key=lambda t: t.target, reverse=True)
    assert (ops.state, ops.delivery, ops.attempts) == ("sent", 5, 2)
    assert (ops.sent_at, ops.error) == (at(3), "refused once")
    assert (night.state, night.reason, night.attempts) == ("pending", "silence 1: planned", 0)
    assert (night.transition, night.delivery, night.sent_at) == ("opened", None, None)


def test_comments_are_those_of_the_timeline(engine: Engine) -> None:
    record(engine, finding(0))
    row = {"incident_id": 1, "at": at(9), "actor": "cli:ann"}
    with engine.begin() as connection:
        identity = one(engine, "203.0.113.7").incident.id
        row |= {"incident_id": identity, "action": "commented", "detail": {"text": "looks bad"}}
        connection.execute(insert(TimelineRow), [row])
    (comment,) = one(engine, "203.0.113.7").comments
    assert (comment.at, comment.actor, comment.text) == (at(9), "cli:ann", "looks bad")


def test_earlier_and_later_of_the_same(engine: Engine) -> None:
    record(engine, finding(0), finding(100), finding(200), finding(100, entity="10.0.0.1"))
    first, middle, last = sorted(
        (i for i in list_incidents(engine).items if i.entity == "203.0.113.7"),
        key=lambda incident: incident.started_at,
    )
    detail = get_incident(engine, middle.id)
    assert detail is not None
    assert {other.id: other.relation for other in detail.related} == {
        first.id: "earlier",
        last.id: "later",
    }
    assert detail.related[0].reason == RELATIONS["earlier"]


def test_parents_parts_and_clients_at_the_same_time(engine: Engine) -> None:
    clients = frozenset({"198.51.100.1", "198.51.101.2", "198.51.102.3"})
    same: dict[str, Any] = {"tags": GUESSING, "level": Level.HIGH, "detector": "refused"}
    many = finding(0, 9, "POST /login", entity_type="route", members=clients, **same)
    record(
        engine,
        many,
        finding(2, 3, "198.51.100.1", **same),  # a part
        finding(2, 3, "198.51.101.2"),  # does something else as well
        finding(600, 601, "198.51.102.3"),  # hours later
    )
    assert relations(engine, "POST /login") == {"198.51.100.1": "part", "198.51.101.2": "client"}
    assert relations(engine, "198.51.100.1") == {"POST /login": "part_of"}
    assert relations(engine, "198.51.101.2") == {"POST /login": "counts_client"}
    assert relations(engine, "198.51.102.3") == {}


def test_what_was_merged(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(50)], watermark=None)
    store.record([finding(0)], watermark=None)
    store.record([finding(25, 26)], watermark=None)
    elder = list_incidents(engine).items[0].id
    detail = get_incident(engine, elder)
    assert detail is not None
    (other,) = detail.related
    assert other.relation == "merged"
    younger = get_incident(engine, other.id)
    assert younger is not None
    assert [(o.id, o.relation) for o in younger.related] == [(elder, "merged_into")]


@pytest.mark.parametrize(
    ("one_", "near", "far"),
    [
        ("203.0.113.7", ("203.0.113.255", "203.0.113.0"), ("203.0.112.7", "203.0.1.13")),
        ("2001:db8:0:1::7", ("2001:db8:0:1:ffff::", "2001:db8:0:1::"), ("2001:db8::7",)),
    ],
)
def test_the_same_network(
    engine: Engine, one_: str, near: tuple[str, ...], far: tuple[str, ...]
) -> None:
    network = "203.0.113.0/24" if "." in one_ else "2001:db8:0:1::/64"
    record(
        engine,
        finding(0, 1, one_),
        *(finding(60, 61, each) for each in (*near, *far)),
        finding(60, 61, network, entity_type="network"),
        finding(60 * 60, 60 * 60 + 1, near[0]),
    )
    expected = dict.fromkeys((*near, network), "same_network")
    assert relations(engine, one_) == expected
    assert relations(engine, network) == dict.fromkeys((*near, one_), "same_network")


def test_the_same_requests_and_paths(engine: Engine) -> None:
    shared = event(1, 700, path="/login", service="shop")
    record(
        engine,
        finding(0, 5, "ann", entity_type="user", evidence=(shared,)),
        finding(0, 5, "10.0.0.1", evidence=(shared,)),
        finding(0, 5, "10.1.0.2", evidence=(event(2, 900, path="/login", service="shop"),)),
        finding(0, 5, "10.2.0.3", evidence=(event(2, 950, path="/login", service="pay"),)),
        finding(60, 61, "10.3.0.4", evidence=(event(60, 9000, path="/login", service="shop"),)),
    )
    assert relations(engine, "ann") == {"10.0.0.1": "same_requests", "10.1.0.2": "same_paths"}


def test_few_are_named(engine: Engine) -> None:
    one_client = frozenset({"203.0.113.7"})
    record(
        engine,
        *(finding(100 * n) for n in range(20)),
        *(finding(1000, 1001, f"203.0.113.{n}") for n in range(100, 130)),
        *(finding(1000, 1001, f"u{n}", entity_type="user", tags=GUESSING, members=one_client)
          for n in range(20)),
    )  # fmt: skip
    with engine.connect() as connection:
        query = select(IncidentRow.id).where(
            IncidentRow.entity == "203.0.113.7", IncidentRow.started_at == at(1000)
        )
        identity = connection.execute(query).scalar_one()
    detail = get_incident(engine, identity)
    assert detail is not None
    assert len(detail.related) == RELATED_LIMIT
    kinds = [other.relation for other in detail.related]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "counts_client": REASON_LIMIT,
        "earlier": REASON_LIMIT,
        "later": REASON_LIMIT,
        "same_network": REASON_LIMIT,
    }
    earlier = [other.started_at for other in detail.related if other.relation == "earlier"]
    assert earlier == [at(1000) - timedelta(minutes=100 * n) for n in range(1, 6)]
