"""Somebody at the page, and all that must never happen while they look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Error, Page

#: Milliseconds that something may take to be seen.
PATIENCE: Final = 30_000

_PHONE: Final[Any] = {"width": 360, "height": 740}
_DESK: Final[Any] = {"width": 1360, "height": 850}

#: Remembers what the policy refuses, from before anything of the page runs.
_WATCH: Final = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Visitor:
    """A page in a context of its own, with its faults so far."""

    base: str
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a view."""
        self.page.goto(self.base + path)
        return self.page

    def assert_unharmed(self) -> None:
        """No dialog, no error, nothing that the policy had to refuse."""
        violations = self.page.evaluate("() => window.violations")
        assert (self.faults, violations) == ([], []), self.page.url


@contextmanager
def visiting(
    browser: Browser,
    base: str,
    *,
    phone: bool = False,
    scheme: Literal["dark", "light"] = "light",
    state: Any = None,
) -> Iterator[Visitor]:
    """Give a visitor; `state` are the cookies of another one who logged in."""
    context = browser.new_context(
        viewport=_PHONE if phone else _DESK, color_scheme=scheme, storage_state=state
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(_WATCH)
    page = context.new_page()
    visitor = Visitor(base, context, page)

    def on_console(message: ConsoleMessage) -> None:
        # What the API refuses is shown as a message on the page, and tested there.
        if message.type == "error" and "Failed to load resource" not in message.text:
            visitor.faults.append(f"console: {message.text}")

    def on_dialog(dialog: Dialog) -> None:
        visitor.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_error(error: Error) -> None:
        visitor.faults.append(f"error: {error}")

    page.on("console", on_console)
    page.on("dialog", on_dialog)
    page.on("pageerror", on_error)
    yield visitor
    context.close()
