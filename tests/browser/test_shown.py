"""What the page shows: log text as text, whatever it says, and everything to everybody."""

import json
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.actions import Change, change_incident
from alerts.lists.queries import IncidentFilter, list_incidents
from alerts.muting.silences import add_silence
from alerts.routing.matchers import Matchers
from api.page.rendering import VIEWS
from detectors.findings import Evidence, Finding, Level
from tests.api.calls import MINUTE, NOW, finding
from tests.browser.site import Site
from tests.browser.visitor import Visitor, visiting
from vedette.commands.scan import run_scan

#: Becomes an element, runs a script or leaves an attribute, wherever it is not escaped.
ATTACK: Final = "\"'><img id=pwned src=x onerror=window.pwned=1><script>window.pwned=1</script>"

#: The same where blanks end a value, and an address that is a script.
WORD: Final = ATTACK.replace(" ", "/")
LINK: Final = "javascript:window.pwned=1"

#: What axe judges by: WCAG 2.2 A and AA, and good practice.
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

#: An incident of which every part of its view has something to show.
EVERYTHING: Final = "198.51.100.77"

#: The view of whom it is about.
ENTITY: Final = f"/entities/client?entity={EVERYTHING}"

#: What there is that no page of ours has; nothing, if all is well.
_STRANGE: Final = """() => [
  ...(window.pwned ? ["a script ran"] : []),
  ...[...document.querySelectorAll("#pwned, [onerror], [href^=javascript]")],
  ...[...document.scripts].filter((each) => !each.getAttribute("src")?.startsWith("/static/")),
].map((each) => each.outerHTML ?? each)"""


#: What reaches beyond the window, so that all of it can be moved sideways.
_WIDE: Final = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth)
    .map((each) => each.outerHTML.slice(0, 200))"""


def hostile_lines() -> Iterator[str]:
    """Write requests that are found, with the attack in every field that a log may have.

    First one client looks around and guesses; then many try one user, and the service fails.
    """
    for number in range(240):
        alone = number < 60
        yield json.dumps(
            {
                "when": f"2025-11-03T09:{number // 60:02d}:{number % 60:02d}Z",
                "client": "203.0.113.66" if alone else f"198.51.100.{number}",
                "path": f"/api/{number}/{WORD}" if alone else "/login",
                "query": f"q={ATTACK}" if alone else None,
                "agent": f"{ATTACK} {LINK}",
                "user": ATTACK,
                "host": f"{WORD}.example",
                "service": f"shop{ATTACK}",
                "referrer": f"{LINK}//{ATTACK}",
                "method": "POST" if number % 2 else f"GET{ATTACK}",
                "country": ATTACK,
                "protocol": ATTACK,
                "request": ATTACK,
                "key": f"{ATTACK}{number}",
                "status": (404 if number % 3 else 401) if alone else 401 if number < 150 else 500,
            }
        )


#: Columns, and the names that the fields above have.
MAPPING: Final = {
    "timestamp": "when",
    "client_ip": "client",
    "path": "path",
    "query": "query",
    "user_agent": "agent",
    "user": "user",
    "host": "host",
    "service": "service",
    "referrer": "referrer",
    "method": "method",
    "country": "country",
    "protocol": "protocol",
    "request_id": "request",
    "api_key": "key",
    "status": "status",
}


def scanned(site: Site, folder: Path) -> None:
    """Scan a hostile log into the database of the page."""
    log, settings = folder / f"{WORD.replace('/', '_')[:60]}.log", folder / "v.toml"
    log.write_text("\n".join(hostile_lines()) + "\n", encoding="utf-8")
    names = ", ".join(f'{column} = "{name}"' for column, name in MAPPING.items())
    settings.write_text(
        f'[[sources]]\npaths = ["{folder}/*.log"]\nformat = "json"\nmapping = {{ {names} }}\n',
        encoding="utf-8",
    )
    url = str(site.api.engine.url)
    status = run_scan([str(log)], settings, log_format="auto", database=url, as_json=True)
    assert status == 0


def stored(site: Site) -> None:
    """Store what no scan would: the attack in every text that a finding or a person can give."""
    evidence = Evidence(NOW, ATTACK, 1, ATTACK, ATTACK, 404, ATTACK, ATTACK[:2], 64_500)
    for entity_type in ("client", "network", "user", "api_key", "route", "service", "source"):
        found = Finding(
            ATTACK, entity_type, f"{ATTACK} {LINK}", NOW, NOW + MINUTE, 43, 10, ATTACK, 2 * MINUTE,
            Level.HIGH, evidence=(evidence,), tags=("attack.t1110", ATTACK),
            members=frozenset({"203.0.113.7", ATTACK}), note=ATTACK,
        )  # fmt: skip
        site.store.record([found], watermark=None)
    for incident in list_incidents(site.api.engine, IncidentFilter(detector=ATTACK)).items:
        change = Change("acknowledged", None, ATTACK, (ATTACK[:60], LINK), (), ATTACK)
        change_incident(
            site.api.engine, incident.id, change, actor=ATTACK[:60], version=None, now=NOW
        )
    add_silence(
        site.api.engine,
        Matchers(entity=(ATTACK,), label=(ATTACK,)),
        comment=ATTACK,
        created_by=ATTACK,
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=2),
        now=NOW,
    )


def assert_only_text(visitor: Visitor, path: str) -> None:
    assert visitor.page.evaluate(_STRANGE) == [], path
    visitor.assert_unharmed()


def test_attacks_in_log_fields_stay_text(site: Site, mia: Visitor, tmp_path: Path) -> None:
    scanned(site, tmp_path)
    stored(site)
    incidents = list_incidents(site.api.engine, IncidentFilter(include_members=True, mode="any"))
    assert {each.entity_type for each in incidents.items} >= {"client", "route", "service", "user"}
    paths = ["/?status=any&mode=any", *(address for address, _ in VIEWS)]
    paths += [f"/incidents/{each.id}" for each in incidents.items]
    for path in paths:
        mia.go(path)
        assert_only_text(mia, path)
    page = mia.go("/?status=any&mode=any")
    assert ATTACK in page.locator("#incidents").inner_text()
    links = page.locator("#incidents a.entity").all()
    for path in {link.get_attribute("href") or "" for link in links}:
        mia.go(path)
        assert_only_text(mia, path)


def test_attacks_that_arrive_live_stay_text(site: Site, mia: Visitor) -> None:
    page = mia.go("/login?<script>window.pwned=1</script>#code=<img id=pwned>")
    assert_only_text(mia, "the log-in")
    page = mia.go("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    number = site.record(f"{ATTACK}live", detector="burst")
    expect(page.locator(f"#incident-{number}")).to_be_visible()
    expect(page.locator("#said")).to_contain_text("<img id=pwned")
    page.locator(f"#open-{number}").focus()
    page.keyboard.press("s")
    expect(page.locator("#silence .about")).to_have_text(f"{ATTACK}live")
    assert_only_text(mia, "live")


def test_numbers_are_drawn_and_can_be_read(site: Site, mia: Visitor) -> None:
    number = site.record("198.51.100.40", detector="drawn")
    chart = {
        "title": "drawn: paths",
        "unit": "paths",
        "x": [1_762_160_400, 1_762_160_460, 1_762_160_520],
        "series": [
            {"label": "counted", "role": "value", "values": [3, 1_200, None]},
            {"label": "limit", "role": "limit", "values": [10, 10, 10]},
        ],
    }
    address = mia.go(f"/incidents/{number}").locator("#points").get_attribute("data-chart")
    mia.page.route(f"**{address}", lambda route: route.fulfill(json={"charts": [chart]}))
    page = mia.go(f"/incidents/{number}")
    expect(page.locator("#points canvas")).to_be_visible()
    page.get_by_text("Numbers", exact=True).click()
    rows = page.locator("#points .scroll tr")
    expect(rows.nth(0)).to_have_text("Time (UTC)countedlimit")
    expect(rows.nth(2)).to_have_text("2025-11-03 09:011,20010")
    expect(rows.nth(3)).to_have_text("2025-11-03 09:0210")
    assert judged(page) == []
    page.locator("#comment").fill("half a sentence")
    page.evaluate("() => htmx.trigger(document.body, 'changed')")
    site.record("198.51.100.40", minutes=2, detector="burst")
    expect(page.locator(".claims li")).to_have_count(2)
    expect(page.locator("#comment")).to_have_value("half a sentence")
    expect(page.locator("#points canvas")).to_be_visible()


def judged(page: Page) -> list[str]:
    """Return what axe objects to, and where."""
    if page.evaluate("() => typeof window.axe") == "undefined":
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    answer = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", _TAGS
    )
    return [
        f"{fault['id']}: {node['html'][:200]} {node['failureSummary']}"
        for fault in answer["violations"]
        for node in fault["nodes"]
    ]


def with_everything(site: Site) -> int:
    """Store an incident of which every part of its view has something to show."""
    found = [finding(300, EVERYTHING, "burst"), finding(303, EVERYTHING), finding(390, EVERYTHING)]
    site.store.record(found, watermark=None)
    named = IncidentFilter(entity=EVERYTHING, sort="start")
    _, incident = list_incidents(site.api.engine, named).items
    change = Change(comment="seen\nand noted", add_labels=("vpn", "partner"))
    change_incident(site.api.engine, incident.id, change, actor="mia", version=None, now=NOW)
    return incident.id


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everybody_can_use_every_view(
    site: Site, browser: Browser, session: Any, scheme: Literal["dark", "light"]
) -> None:
    number = with_everything(site)
    views = [address for address, _ in VIEWS]
    paths = [
        *views,
        f"/incidents/{number}",
        ENTITY,
        "/incidents/99999",
    ]
    paths += ["/login", "/?text=nothing"]
    with visiting(browser, site.server.url, scheme=scheme, state=session) as visitor:
        for path in paths:
            page = visitor.go(path)
            for fold in page.locator("summary").all():
                fold.click()
            assert judged(page) == [], path
        page = visitor.go(f"/incidents/{number}")
        for name in ("resolve", "silence", "assign", "label", "help"):
            page.evaluate("name => document.getElementById(name).showModal()", name)
            assert judged(page) == [], name
            page.keyboard.press("Escape")
        visitor.assert_unharmed()


def test_views_fit_a_phone(site: Site, browser: Browser, session: Any) -> None:
    number = with_everything(site)
    with visiting(browser, site.server.url, phone=True, state=session) as visitor:
        views = [address for address, _ in VIEWS]
        for path in (
            *views,
            f"/incidents/{number}",
            ENTITY,
            "/login",
        ):
            page = visitor.go(path)
            assert page.evaluate(_WIDE) == [], path
