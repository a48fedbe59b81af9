"""What the list and the view of an incident show, without a browser."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import text

from alerts.access.keys import Role
from alerts.actions import Change, change_incident
from alerts.incidents.views import EXAMPLE
from alerts.lists.queries import get_incident, list_incidents, versions_of
from alerts.storage.store import Store
from api.page.claims import claims
from api.page.headline import headline, subject
from api.page.history import history, said
from api.page.incident_filters import Chosen, FilterError
from api.page.marks import lasting, plain
from tests.api.calls import NOW, Api, finding

ATTACK = "\"'><img id=pwned src=x onerror=alert(1)><script>alert(1)</script>"

sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@sqlite
def test_the_list_shows_what_needs_attention(api: Api) -> None:
    client = api.client(Role.ANALYST)
    assert "Nothing needs attention" in client.get("/").text
    Store(api.engine).record([finding(0)], watermark=None)
    html = client.get("/").text
    assert "43 distinct missing paths within 2 min (limit 10)" in html
    assert 'href="/entities/client?entity=203.0.113.7"' in html
    (incident,) = list_incidents(api.engine).items
    change = Change(status="closed", resolution="benign")
    change_incident(api.engine, incident.id, change, actor="mia", version=None, now=NOW)
    assert "Nothing needs attention" in client.get("/").text
    assert "benign" in client.get("/?status=ended").text
    assert "No incident matches" in client.get("/?status=any&text=elsewhere").text


@sqlite
def test_pages_of_the_list_follow_one_another(api: Api) -> None:
    store = Store(api.engine)
    store.record([finding(n, f"10.0.0.{n}") for n in range(60)], watermark=None)
    client = api.client()
    first = client.get("/?severity=low").text
    assert first.count("data-incident=") == 50
    (onwards,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get(onwards.replace("&amp;", "&")).text
    assert second.count("data-incident=") == 10
    assert 'rel="next"' not in second
    assert 'href="/?severity=low">First page' in second


@sqlite
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cursor=nonsense", "cursor"),
        ("status=odd", "status: there is no such choice"),
        ("severity=odd", "severity_min"),
        ("parent=x", "parent"),
        ("sort=odd", "sort"),
    ],
)
def test_what_cannot_be_chosen_is_said(api: Api, query: str, said: str) -> None:
    answer = api.client().get(f"/?{query}")
    assert answer.status_code == 200
    assert re.search(rf'role="alert">[^<]*{said}', answer.text)


def test_nothing_that_is_asked_for_breaks_the_list(api: Api) -> None:
    client = api.client()
    for value in ("%00", "%ff", "%F0%9F", "%27%22--", "a" * 300, "%25", "*", "%5C", "-1", "1e9"):
        for key in ("text", "entity", "service", "tag", "label", "detector", "parent", "cursor"):
            assert client.get(f"/?{key}={value}&mode=any").status_code == 200, (key, value)


@sqlite
def test_a_part_comes_without_the_page_around_it(api: Api) -> None:
    part = api.client().get("/", headers={"HX-Request": "true"}).text
    assert 'id="incidents"' in part
    assert "<html" not in part


@sqlite
def test_viewers_are_offered_nothing_that_they_may_not(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    for path in ("/", "/incidents/1"):
        assert "data-api" not in api.client(Role.VIEWER).get(path).text
        assert "data-api" in api.client(Role.ANALYST).get(path).text


@sqlite
def test_an_incident_is_shown_with_its_etag_and_all_texts_as_text(api: Api) -> None:
    found = replace(finding(0, ATTACK), detector=ATTACK, unit=ATTACK, note=f"{ATTACK}\u202e")
    Store(api.engine).record([found], watermark=None)
    html = api.client(Role.ANALYST).get("/incidents/1").text
    assert 'data-if-match="&#34;1-1&#34;"' in html
    assert "<img id=pwned" not in html
    assert "<script>" not in html
    assert "&lt;img id=pwned" in html
    assert "\u202e" not in html


@sqlite
def test_rows_carry_the_version_that_they_show(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    client = api.client(Role.ANALYST)
    seen = r'id="incident-1" data-etag="([^"]+)"'
    (before,) = re.findall(seen, client.get("/").text)
    stale = list_incidents(api.engine).items
    assert versions_of(api.engine, stale) == {1: 1}
    change = Change(status="closed", resolution="benign")
    change_incident(api.engine, 1, change, actor="mia", version=None, now=NOW)
    (after,) = re.findall(seen, client.get("/?status=any").text)
    assert [unescape(each) for each in (before, after)] == ['"1-1"', '"1-2"']
    assert versions_of(api.engine, stale) == {}
    assert 'data-if-match="*"' not in client.get("/").text


@sqlite
def test_errors_are_views_too(api: Api) -> None:
    client = api.client()
    for path, status, why in (
        ("/incidents/7", 404, "there is no incident 7"),
        ("/incidents/seven", 404, "no such page"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")
        assert why in answer.text
    with api.engine.begin() as connection:
        connection.execute(text("ALTER TABLE incidents RENAME TO gone"))
    answer = client.get("/")
    assert (answer.status_code, "The database does not answer" in answer.text) == (503, True)
    part = client.get("/", headers={"HX-Request": "true"})
    assert part.headers["content-type"] == "application/problem+json"


def test_headlines_leave_out_what_stands_beside_them() -> None:
    assert headline(EXAMPLE) == "43 distinct missing paths within 2 min (limit 10)"
    days = "Route GET /a: 7 x (limit 1), from 2025-11-03 09:00:00 to 2025-11-04 09:02:00 UTC. Odd."
    route = replace(EXAMPLE, entity_type="route", entity="GET /a", summary=days)
    assert headline(route) == "7 x (limit 1). Odd"
    assert headline(replace(EXAMPLE, summary="odd")) == "Odd"
    assert headline(replace(EXAMPLE, summary=".")) == "."
    assert (subject("all", "*"), subject("api_key", "ab")) == ("All traffic", "API key ab")


def test_choices_are_in_the_address_and_back() -> None:
    chosen = Chosen.of({"text": " a&b ", "severity": "high", "status": "", "x": "1"})
    assert chosen.values == {"text": "a&b", "severity": "high"}
    assert chosen.address("c") == "/?text=a%26b&severity=high&cursor=c"
    wanted = Chosen.of({"assignee": "me", "period": "1h"}).filter("mia", NOW)
    assert (wanted.assignee, wanted.since) == ("mia", NOW - timedelta(hours=1))
    assert wanted.statuses == ("open", "acknowledged")
    with pytest.raises(FilterError, match="time: there is no such choice"):
        Chosen.of({"period": "9y"}).filter("mia", NOW)


@sqlite
def test_history_is_told_in_words(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    for change in (
        Change(status="acknowledged", assignee="mia", add_labels=("vpn",)),
        Change(comment="seen"),
        Change(status="closed", resolution="false_positive", assignee=None, remove_labels=("vpn",)),
    ):
        change_incident(api.engine, 1, change, actor="mia", version=None, now=NOW)
    detail = get_incident(api.engine, 1)
    assert detail is not None
    told = [deed.said for deed in history(detail)]
    assert sorted(told) == sorted(
        [
            "opened it as medium",
            "made it acknowledged (was open)",
            "assigned it to mia",
            "added vpn",
            "commented",
            "made it closed, false positive (was acknowledged)",
            "took it from mia",
            "removed vpn",
        ]
    )
    assert [deed.text for deed in history(detail) if deed.text] == ["seen"]


def test_what_nobody_foresaw_is_said_plainly() -> None:
    assert said("rolled_up", {}) == "made it part of incident ?"
    assert said("turned_blue", {"x": 1}) == "turned blue"


def test_numbers_are_drawn_against_their_limit() -> None:
    (claim,) = claims([finding(0)], {})
    assert claim.length > claim.mark > 0
    assert (claim.times, claim.runbook) == ("4.3", "docs/runbooks/recon.md")
    (none,) = claims([replace(finding(0), value=0, threshold=0)], {})
    assert (none.length, none.mark, none.times) == (0, 0, None)


def test_texts_are_shown_without_what_turns_them_around() -> None:
    assert plain("a\u202eb\n\tc\x07") == "a\\u202eb\n\tc\\x07"
    assert plain(7) == 7
    assert lasting(NOW, NOW + timedelta(minutes=90)) == "90 min"
    assert lasting(NOW, NOW + timedelta(days=3)) == "3 d"
