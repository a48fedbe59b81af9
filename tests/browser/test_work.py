"""Work at the page in Chromium: from the one-time link to the log-out."""

import json
from datetime import timedelta
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from alerts.actions import Change, change_incident
from alerts.lists.queries import get_incident
from alerts.muting.silences import list_silences
from api.access import COOKIE
from tests.browser.site import Site
from tests.browser.visitor import Visitor, visiting


def said(page: Page, text: str) -> None:
    """Wait until the page says something in a message."""
    expect(page.locator(".toast", has_text=text).first).to_be_visible()


def test_a_link_logs_in_once_and_leaves_nothing_in_the_address(
    site: Site, browser: Browser
) -> None:
    link = site.link("ann")
    with visiting(browser, site.server.url) as visitor:
        page = visitor.page
        page.goto(link)
        page.wait_for_url(f"{site.server.url}/")
        expect(page.locator(".who")).to_contain_text("ann")
        page.go_back()
        assert "code" not in page.url
        (cookie,) = visitor.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Strict")
        visitor.assert_unharmed()
    with visiting(browser, site.server.url) as visitor:
        visitor.page.goto(link)
        expect(visitor.page.locator("#login-said")).to_contain_text("the link was used")
        assert visitor.page.url == f"{site.server.url}/login"
        assert visitor.context.cookies() == []
        visitor.go("/")
        assert visitor.page.url == f"{site.server.url}/login"


def test_a_link_can_be_pasted(site: Site, browser: Browser) -> None:
    with visiting(browser, site.server.url) as visitor:
        visitor.go("/login").get_by_label("Or paste the link").fill(site.link("bea"))
        visitor.page.keyboard.press("Enter")
        expect(visitor.page.locator(".who")).to_contain_text("bea")


def test_incidents_arrive_while_somebody_looks(site: Site, mia: Visitor) -> None:
    page = mia.go("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    page.evaluate("() => { window.here = true; }")
    number = site.record("198.51.100.7", detector="burst")
    row = page.locator(f"#incident-{number}")
    expect(row).to_be_visible()
    expect(row).to_contain_text("43 distinct missing paths")
    expect(page.locator("#said")).to_contain_text("New incident, high: Client 198.51.100.7")
    assert page.evaluate("() => window.here"), "the page was not loaded anew"


def test_an_analyst_works_through_an_incident(site: Site, mia: Visitor) -> None:
    number = site.record("198.51.100.8")
    page = mia.go("/?text=198.51.100.8")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    page.keyboard.press("j")
    page.keyboard.press("a")
    said(page, "Acknowledged")
    expect(page.locator(f"#incident-{number} .status")).to_have_text("acknowledged")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{number}")

    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Silence")
    dialog.get_by_label("Why").fill("our own scanner")
    dialog.get_by_role("button", name="Silence").click()
    said(page, "Silenced")
    (silence,) = list_silences(site.api.engine, site.api.clock)
    assert silence.matchers.written() == {"entity": ["198.51.100.8"], "entity_type": ["client"]}
    assert (silence.comment, silence.created_by) == ("our own scanner", "mia")
    assert silence.ends_at - silence.starts_at == timedelta(hours=2)

    page.keyboard.press("c")
    page.keyboard.type("asked the team\n<b>they test</b>")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator(".comment-text")).to_have_text("asked the team\n<b>they test</b>")

    page.get_by_role("button", name="Assign").click()
    page.get_by_role("dialog").get_by_role("button", name="Assign").click()
    said(page, "Assigned")
    page.get_by_role("button", name="Label").click()
    page.get_by_label("Add, with commas").fill("scanner, ours")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".facts .label")).to_have_text(["ours", "scanner"])

    page.keyboard.press("r")
    page.get_by_label("Expected").check()
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    said(page, "Resolved")
    expect(page.locator(".badges .status")).to_have_text("resolved: benign")

    detail = get_incident(site.api.engine, number)
    assert detail is not None
    view = detail.incident
    assert (view.status, view.resolution, view.assignee) == ("resolved", "benign", "mia")
    assert view.labels == ("ours", "scanner")
    with page.expect_download() as begun:
        page.get_by_role("link", name="JSON").click()
    exported = json.loads(Path(begun.value.path()).read_text(encoding="utf-8"))
    assert (exported["id"], exported["status"]) == (number, "resolved")
    assert begun.value.suggested_filename == f"incident-{number}.json"


def test_who_was_slower_is_told(site: Site, mia: Visitor) -> None:
    number = site.record("198.51.100.9")
    page = mia.go(f"/incidents/{number}")
    # As if the news of another's change had not arrived yet.
    page.locator("#incident").evaluate("(one, tag) => { one.dataset.etag = tag; }", f'"{number}-0"')
    page.get_by_role("button", name="Label").click()
    page.get_by_label("Add, with commas").fill("late")
    page.get_by_role("button", name="Save").click()
    said(page, "version")


def test_what_a_colleague_closed_is_not_opened_again_from_an_old_row(
    site: Site, mia: Visitor
) -> None:
    """Failed when the list sent no version; and a part that is no HTML was written into it."""
    number = site.record("198.51.100.10", detector="slow")
    page = mia.go("/?detector=slow")
    row = page.locator(f"#incident-{number}")
    # What is no HTML is not shown, and the row stays as it was seen.
    page.route("**/?detector=slow", lambda route: route.fulfill(json={"text": "<p id=pwned>"}))
    change = Change(status="closed", resolution="benign")
    change_incident(site.api.engine, number, change, actor="eva", version=None, now=site.api.clock)
    page.evaluate("() => htmx.trigger(document.body, 'changed')")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("a")
    said(page, "changed meanwhile")
    expect(page.locator("#pwned")).to_have_count(0)
    expect(row.locator(".status")).to_have_text("open")
    expect(page.locator(".bulk-count")).to_have_text("1 marked")
    page.unroute("**/?detector=slow")
    detail = get_incident(site.api.engine, number)
    assert detail is not None
    assert (detail.incident.status, detail.incident.resolution) == ("closed", "benign")


def test_several_are_marked_and_resolved_at_once(site: Site, mia: Visitor) -> None:
    numbers = [site.record(f"198.51.100.{last}", detector="many") for last in (21, 22, 23)]
    page = mia.go("/?detector=many")
    for _ in numbers:
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.locator(".bulk-count")).to_have_text("3 marked")
    page.keyboard.press("r")
    page.get_by_label("A false alarm").check()
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    said(page, "Resolved: 3 incidents")
    expect(page.locator(".empty-title")).to_be_visible()
    for number in numbers:
        detail = get_incident(site.api.engine, number)
        assert detail is not None
        assert detail.incident.resolution == "false_positive"


def test_filters_are_in_the_address_and_keys_are_explained(site: Site, mia: Visitor) -> None:
    site.record("198.51.100.31", detector="burst")
    site.record("198.51.100.32")
    page = mia.go("/")
    page.locator("#severity").select_option("high")
    page.wait_for_url("**/?severity=high")
    expect(page.get_by_text("198.51.100.32")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("100.31")
    page.wait_for_url("**/?text=100.31&severity=high")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("#text")).to_have_value("100.31")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_who_logs_out_is_out(site: Site, browser: Browser) -> None:
    with visiting(browser, site.server.url) as visitor:
        page = visitor.page
        page.goto(site.link("eva"))
        page.wait_for_url(f"{site.server.url}/")
        (cookie,) = visitor.context.cookies()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        assert visitor.context.cookies() == []
        visitor.assert_unharmed()
    answer = httpx.get(
        f"{site.server.url}/api/v1/incidents",
        cookies={COOKIE: cookie["value"]},
        trust_env=False,
    )
    assert answer.status_code == 401
