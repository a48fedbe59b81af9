"""The views of entities, traffic and silences, over what is stored."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import insert

from alerts.access.keys import Role, Scope
from alerts.database.models import DeliveryRow, NotificationRow, SilenceRow
from alerts.muting.silences import add_silence
from alerts.recovery.checkpoint import Checkpoint
from alerts.routing.matchers import Matchers
from alerts.storage.store import Store
from detectors.traffic import EVERY, TrafficSlot, TrafficTop
from tests.api.calls import MINUTE, NOW, Api, finding

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

PART = {"HX-Request": "true"}

CLIENT = "/entities/client?entity=203.0.113.7"


def micros(minutes: int) -> int:
    return int((NOW + minutes * MINUTE).timestamp()) * 1_000_000


def with_traffic(api: Api) -> None:
    slots = [
        TrafficSlot(service, "edge", 60, micros(-at), 100 + at, 3, 2, 1, 9_000, 5_000, 90_000)
        for at in range(30)
        for service in (EVERY, "shop <b>")
    ]
    slots += [
        TrafficSlot(service, "edge", 3_600, micros(0), 3_000, 90, 60, 30, 9, 5_000, 90_000)
        for service in (EVERY, "shop <b>")
    ]
    tops = [
        TrafficTop(EVERY, "edge", "route", micros(0), 50, (("shop <b> GET /a", 40, 4),)),
        TrafficTop(EVERY, "edge", "country", micros(0), 50, (("DE", 50, 0),)),
    ]
    Store(api.engine).record(
        [], watermark=None, checkpoint=Checkpoint(2, "f", None), traffic=[*slots, *tops]
    )


def silence(api: Api, **matchers: tuple[str, ...]) -> int:
    made = add_silence(
        api.engine,
        Matchers.model_validate(matchers),
        comment="our <i>own</i> scanner",
        created_by="mia",
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=2),
        now=NOW,
    )
    return made.id


def test_an_entity_is_shown_with_what_it_did_and_what_is_done_about_it(api: Api) -> None:
    Store(api.engine).record([finding(0), finding(60)], watermark=None)
    ours, others = silence(api, entity=("203.0.113.0/24",)), silence(api, entity=("192.0.2.1",))
    shown = api.client(Role.ANALYST).get(CLIENT).text
    assert "Client 203.0.113.7" in shown
    assert 'href="/incidents/1"' in shown
    assert 'href="/incidents/2"' in shown
    assert f"#silence-{ours}" in shown
    assert f"#silence-{others}" not in shown
    assert "our &lt;i&gt;own&lt;/i&gt; scanner" in shown
    assert "It is not on the list." in shown
    assert 'data-dialog="silence"' in shown
    assert 'data-dialog="silence"' not in api.client().get(CLIENT).text


def test_an_entity_without_incidents_can_be_silenced_all_the_same(api: Api) -> None:
    number = silence(api, entity_type=("route",))
    shown = api.client(Role.ANALYST).get("/entities/route?entity=shop%20GET%20/a/%7Bid%7D").text
    assert "Route shop GET /a/{id}" in shown
    assert "No incident is about it." in shown
    assert f"#silence-{number}" in shown
    assert 'value="shop GET /a/{id}"' in shown
    assert api.client().get("/entities/nonsense?entity=x").status_code == 404


def test_any_name_leads_to_its_own_view_and_is_silenced_alone(api: Api) -> None:
    """Failed for names with .. and /, which named other paths, and for *, which was everybody."""
    names = ["..", ".", "../../api/v1/incidents/1/export?x#y", "a b/c&d=%2e%2e+e", "*", "a?\\*"]
    user = replace(finding(0), entity_type="user")
    Store(api.engine).record([replace(user, entity=each) for each in names], watermark=None)
    client = api.client(Role.ANALYST)
    listed = client.get("/?status=any").text
    links = [unescape(each) for each in re.findall(r'class="entity" href="([^"]+)"', listed)]
    assert len(links) == len(names)
    titles = set()
    for link in links:
        shown = client.get(link, headers=PART).text
        assert re.findall(r'id="entity"[^>]* hx-get="([^"]+)"', shown) == [link]
        titles |= set(re.findall(r'id="entity-title">User ([^<]*)<', unescape(shown)))
        assert "1 incident," in shown
    assert titles == set(names)
    assert 'data-entity="*" data-pattern="\\*"' in listed
    assert 'data-pattern="a\\?\\\\\\*"' in client.get("/incidents/6").text
    assert 'value="\\*"' in client.get("/entities/user?entity=*").text


@pytest.mark.parametrize(
    ("own", "path", "part", "said"),
    [
        ("entities", CLIENT, "silences", "<h2>Silences"),
        ("entities", CLIENT, "blocklist", "<h2>Block list"),
        ("silences", "/silences", "deliveries", 'id="told-title"'),
        ("traffic", "/traffic", "metrics", 'id="health-title"'),
        ("traffic", "/traffic/health", "deliveries", "<h2>Outbox"),
        ("traffic", "/traffic/health", "gaps", "Gaps <"),
        ("traffic", "/traffic/health", "detectors", 'id="detectors-title"'),
    ],
)
def test_a_view_shows_no_more_than_its_key_may_ask_the_api_for(
    api: Api, own: Scope, path: str, part: Scope, said: str
) -> None:
    def ask(*scopes: Scope) -> str:
        return api.client(Role.ANALYST, *scopes).get(path).text

    assert said not in ask(own)
    assert said in ask(own, part)
    assert said in ask()


def test_traffic_is_shown_and_drawn(api: Api) -> None:
    with_traffic(api)
    client = api.client()
    shown = client.get("/traffic").text
    assert f"{sum(100 + at for at in range(30)):,}" in shown
    assert "shop &lt;b&gt; GET /a" in shown
    assert "10 % errors" in shown
    assert '<option value="shop &lt;b&gt;|edge">shop &lt;b&gt;</option>' in shown
    assert '<option value="1h" selected>' in shown
    charts = client.get("/traffic/chart").json()["charts"]
    requests, errors, lasted = charts
    assert requests["series"][0]["values"][-1] == 100
    assert len(requests["x"]) == 31
    assert [line["label"] for line in errors["series"]] == ["401 and 403", "other 4xx", "5xx"]
    assert lasted["series"][0]["values"][-1] == 90
    part = client.get("/traffic?service=shop+%3Cb%3E%7Cedge&period=6h", headers=PART).text
    assert part.startswith('<div id="traffic"')
    assert 'data-chart="/traffic/chart?service=shop+%3Cb%3E%7Cedge&amp;period=6h"' in part
    assert client.get("/traffic/chart?period=30d").json()["charts"][0]["series"]


def test_without_traffic_the_program_still_says_how_it_fares(api: Api) -> None:
    shown = api.client().get("/traffic").text
    assert "No traffic is known of then." in shown
    assert "Health" in shown
    assert "Nothing was missed." in shown
    for chosen in ("", "?period=7d", "?period=30d", "?service=%7Cinternal&period=30d"):
        assert api.client().get(f"/traffic{chosen}").status_code == 200, chosen
        assert api.client().get(f"/traffic/chart{chosen}").json() == {"charts": []}, chosen
    assert api.client().get("/traffic/health").text.lstrip().startswith('<section id="health"')


def test_silences_and_deliveries_are_shown_to_those_who_may_end_them(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    number = silence(api, entity=("203.0.113.7",), label=("partner",))
    with api.engine.begin() as connection:
        message = {
            "target": "ops", "state": "dead", "attempts": 3, "created_at": NOW,
            "next_attempt_at": NOW, "idempotency_key": "k", "digest": False,
            "title": "<b>burst</b>", "group_key": "g", "last_error": "refused",
        }  # fmt: skip
        known = {column.name for column in DeliveryRow.__table__.columns}
        row = {name: value for name, value in message.items() if name in known}
        (delivery,) = connection.execute(
            insert(DeliveryRow).values(row).returning(DeliveryRow.id)
        ).one()
        news = {
            "incident_id": 1, "transition": "opened", "target": "ops", "route": "r",
            "state": "dead", "created_at": NOW, "due_at": NOW, "delivery_id": delivery,
        }  # fmt: skip
        connection.execute(insert(NotificationRow).values(news))
    shown = api.client(Role.ANALYST).get("/silences").text
    assert f'action="/api/v1/silences/{number}"' in shown
    assert f'action="/api/v1/deliveries/{delivery}/retry"' in shown
    assert "&lt;b&gt;burst&lt;/b&gt;" in shown
    viewer = api.client().get("/silences").text
    assert "data-api" not in viewer.split("<main", 1)[1]
    sent = api.client().get("/silences?state=sent", headers=PART).text
    assert "Nothing is in this state." in sent
    assert api.client().get("/silences?state=nonsense").status_code == 200


def test_silences_in_force_are_shown_however_many_are_over(api: Api) -> None:
    number = silence(api, entity=("203.0.113.7",))
    over = {
        "matchers": {}, "comment": "x", "created_by": "x", "created_at": NOW, "starts_at": NOW,
        "ends_at": NOW + MINUTE,
    }  # fmt: skip
    with api.engine.begin() as connection:
        connection.execute(insert(SilenceRow), [over] * 1_001)
    api.clock = NOW + 2 * MINUTE
    shown = api.client().get("/silences").text
    assert f'id="silence-{number}"' in shown
    assert 'Silences that are over <span class="muted">50<' in shown


def test_the_points_of_an_incident_are_drawn(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    client = api.client()
    (chart,) = client.get("/incidents/1/chart").json()["charts"]
    assert chart["title"] == "recon: distinct missing paths within 2 min"
    assert [(line["label"], line["values"]) for line in chart["series"]] == [
        ("counted", [43]),
        ("limit", [10]),
    ]
    (told,) = client.get("/api/v1/incidents/1/points").json()
    assert told["points"] == [
        {"at": "2025-11-03T09:01:00Z", "value": 43, "threshold": 10, "expected": None}
    ]
    assert client.get("/incidents/9/chart").status_code == 404
    assert client.get("/api/v1/incidents/9/points").status_code == 404


def test_traffic_over_the_api(api: Api) -> None:
    with_traffic(api)
    client = api.client()
    told = client.get("/api/v1/traffic", params={"service": "shop <b>", "step": 60}).json()
    assert told["points"][-1]["requests"] == 100
    assert told["services"][1:] == [{"service": "shop <b>", "role": "edge"}]
    tops = client.get("/api/v1/traffic/top").json()
    assert tops["routes"] == [{"name": "shop <b> GET /a", "requests": 40, "errors": 4}]
    wide = {"since": "2020-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z", "step": "60"}
    refused = client.get("/api/v1/traffic", params=wide)
    assert refused.status_code == 400
    assert "at most 1,500" in json.dumps(refused.json())
    assert client.get("/api/v1/traffic/top", params=wide).status_code == 422
