"""What the tests of the API share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.api.calls import Api, application


@pytest.fixture
def api(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    """An application over a database of its own, with the limits of the settings."""
    with application(engine, tmp_path) as opened:
        yield opened
