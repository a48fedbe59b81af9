"""Lists: every filter, every order, and pages that leave out nothing."""

from typing import Any, Final

import pytest
from sqlalchemy import Engine, select, update

from alerts.database.models import IncidentRow
from alerts.lists.cursors import CursorError
from alerts.lists.filters import SORTS, IncidentFilter
from alerts.lists.queries import list_incidents, places_of
from alerts.storage.terms import renew_terms
from detectors.findings import Level
from tests.alerts.reading.stories import ENTERING, GUESSING, event, finding, record


def set_of(engine: Engine, entity: str, **values: Any) -> None:
    with engine.begin() as connection:
        own = IncidentRow.entity == entity
        connection.execute(update(IncidentRow).where(own).values(**values))
        ids = connection.execute(select(IncidentRow.id).where(own)).scalars().all()
        renew_terms(connection, ids)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Three incidents: a, b and c, which begin in this order and end in the other."""
    record(
        engine,
        finding(0, 30, "a", level=Level.LOW, evidence=(event(0, service="shop"),)),
        finding(1, 20, "b", "guessing", tags=GUESSING, level=Level.HIGH, entity_type="user"),
        finding(2, 10, "c_100%", "entry", tags=ENTERING, level=Level.CRITICAL, unit="Entries"),
    )
    set_of(engine, "a", labels=["vip", 'odd "one"'], assignee="ann", status="acknowledged")
    set_of(engine, "b", status="closed")
    return engine


CASES: Final[list[tuple[dict[str, Any], str]]] = [
    ({}, "abc"),
    ({"statuses": ("open",)}, "c"),
    ({"statuses": ("open", "closed", "open")}, "bc"),
    ({"severities": (Level.LOW, Level.CRITICAL)}, "ac"),
    ({"severities": (Level.HIGH,)}, "b"),
    ({"statuses": ("open", "closed"), "severities": (Level.HIGH, Level.LOW)}, "b"),
    ({"severity_min": Level.HIGH}, "bc"),
    ({"service": "shop"}, "a"),
    ({"service": "sho"}, ""),
    ({"tag": "attack.t1110.001"}, "b"),
    ({"stage": "success"}, "c"),
    ({"stage": "reconnaissance"}, "a"),
    ({"label": "vip"}, "a"),
    ({"label": 'odd "one"'}, "a"),
    ({"label": "vip' OR 1=1"}, ""),
    ({"label": "\x00"}, ""),
    ({"assignee": "ann"}, "a"),
    ({"unassigned": True}, "bc"),
    ({"text": "C_100%"}, "c"),
    ({"text": "%"}, "c"),
    ({"text": "_"}, "c"),
    ({"text": "\\"}, ""),
    ({"text": "\x00\ud800"}, ""),
    ({"text": "entries"}, "c"),
    ({"text": "missing PATHS"}, "ab"),
    ({"text": ""}, "abc"),
    ({"detector": "guessing"}, "b"),
    ({"detector": "\x00"}, ""),
    ({"entity_type": "user", "entity": "b"}, "b"),
]


@pytest.mark.parametrize("sort", SORTS)
def test_filters(filled: Engine, sort: Any) -> None:
    found = {
        str(wanted): list_incidents(filled, IncidentFilter(**wanted, sort=sort)).items
        for wanted, _ in CASES
    }
    names = {case: sorted(item.entity[0] for item in items) for case, items in found.items()}
    assert names == {str(wanted): sorted(entities) for wanted, entities in CASES}


@pytest.mark.parametrize(
    ("sort", "entities"), [("last", "abc"), ("start", "cba"), ("severity", "cba")]
)
def test_orders(filled: Engine, sort: Any, entities: str) -> None:
    found = list_incidents(filled, IncidentFilter(sort=sort)).items
    assert "".join(item.entity[0] for item in found) == entities


@pytest.mark.parametrize("sort", SORTS)
def test_pages_leave_out_nothing_and_repeat_nothing(engine: Engine, sort: Any) -> None:
    record(
        engine,
        *(finding(n % 3, 5, f"e{n}", level=(Level.LOW, Level.HIGH)[n % 2]) for n in range(9)),
    )
    set_of(engine, "e4", status="closed")
    for wanted in (
        IncidentFilter(sort=sort),
        IncidentFilter(sort=sort, statuses=("open", "closed")),
        IncidentFilter(sort=sort, severities=(Level.LOW, Level.HIGH)),
    ):
        whole = [item.id for item in list_incidents(engine, wanted).items]
        assert len(whole) == 9
        assert seen_by_pages(engine, wanted) == whole


def seen_by_pages(engine: Engine, wanted: IncidentFilter) -> list[int]:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = list_incidents(engine, wanted, cursor, 2)
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


def test_a_cursor_is_for_its_list(filled: Engine) -> None:
    cursor = list_incidents(filled, IncidentFilter(sort="start"), None, 1).next_cursor
    assert cursor is not None
    for other in (IncidentFilter(), IncidentFilter(sort="start", label="vip")):
        with pytest.raises(CursorError):
            list_incidents(filled, other, cursor)
    for broken in ("", "x", cursor[:-3], "MS4yLjM", "LTEuLTEueA"):
        with pytest.raises(CursorError):
            list_incidents(filled, IncidentFilter(sort="start"), broken)


def test_places(filled: Engine) -> None:
    record(filled, finding(1, 2, "d", evidence=(event(1, country="DE", asn=7), event(2, asn=7))))
    numbers = {i.entity: i.id for i in list_incidents(filled).items}
    places = places_of(filled, [numbers["d"], numbers["b"]])
    assert places[numbers["d"]].to_dict() == {
        "countries": [{"country": "DE", "count": 1}],
        "asns": [{"asn": 7, "count": 2}],
    }
    assert places[numbers["b"]].countries == ()
