"""What all tests may use."""

import gc
from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.broker.fixtures",
    "tests.databases.fixtures",
    "tests.receivers.fixtures",
    "tests.vedette.hours",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, not among the ten thousand tests themselves."""
    gc.freeze()


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """What one test has the program log, and where to, is not for the next one."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
