"""Chromium for the tests of the page: this machine's own, quiet, on loopback only."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

#: Names a browser of your own.
CHROMIUM: Final = "CHROMIUM"

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

_ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",  # which root in a container cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Give a browser. Skips on somebody's laptop without one, fails where every test has to run."""
    program = _program()
    if program is None:
        reason = f"there is no Chromium; {CHROMIUM}=/path/to/it names one"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def _program() -> Path | None:
    given = os.environ.get(CHROMIUM)
    found = given or next(filter(None, map(shutil.which, _NAMES)), None)
    return None if found is None else Path(found)
