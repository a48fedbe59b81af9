"""docs/formats.md has every format, reason and mappable column."""

import re

import pytest

from ingest.formats import FORMATS
from ingest.formats.json_names import MAPPABLE
from ingest.quarantine import REASONS
from tests.docs.pages import page, rows


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_documented(name: str) -> None:
    assert name in rows(page("formats.md"))


@pytest.mark.parametrize("reason", REASONS)
def test_reason_is_documented(reason: str) -> None:
    assert reason in rows(page("formats.md"))


def test_every_column_that_can_be_mapped_is_documented() -> None:
    assert set(re.findall(r"`([a-z_]+)`", page("formats.md"))) >= MAPPABLE
