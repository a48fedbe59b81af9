"""One browser and one application for each module: tests look at incidents of their own.

The browser lives no longer than that, as playwright leaves its event loop running in this thread.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from alerts.database.opening import open_database
from alerts.storage.store import Store
from api.server import serve
from tests.api.calls import application
from tests.browser.chromium import running_chromium
from tests.browser.site import Site
from tests.browser.visitor import PATIENCE, Visitor, visiting

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    file = folder / "v.db"
    file.write_bytes(sqlite_template.read_bytes())
    engine = open_database(f"sqlite:///{file}")
    with application(engine, folder) as api:
        server = serve(api.app, "127.0.0.1", 0)
        yield Site(api, server, Store(engine))
        server.stop()
    engine.dispose()


@pytest.fixture(scope="module")
def session(site: Site, browser: Browser) -> Any:
    """The cookies of somebody who logged in."""
    with visiting(browser, site.server.url) as visitor:
        visitor.page.goto(site.link())
        visitor.page.wait_for_url(f"{site.server.url}/")
        return visitor.context.storage_state()


@pytest.fixture
def mia(site: Site, browser: Browser, session: Any) -> Iterator[Visitor]:
    """Somebody who is logged in; nothing bad happened while they looked."""
    with visiting(browser, site.server.url, state=session) as visitor:
        yield visitor
        visitor.assert_unharmed()
