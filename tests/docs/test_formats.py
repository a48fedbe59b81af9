"""docs/formats.md has every format, reason and mappable column."""

import re

import pytest

from ingest.formats import FORMATS, PATTERNS
from ingest.formats.json_names import MAPPABLE
from ingest.quarantine import REASONS
from tests.docs.pages import page, rows


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_documented(name: str) -> None:
    assert name in rows(page("formats.md"))


def test_formats_are_documented_in_the_order_in_which_they_are_chosen() -> None:
    named = re.findall(r"^\| `([a-z0-9_]+)`", page("formats.md"), re.MULTILINE)
    assert named[: len(FORMATS)] == list(FORMATS)


@pytest.mark.parametrize("kind", PATTERNS)
def test_kind_of_pattern_is_documented(kind: str) -> None:
    assert kind in rows(page("formats.md"))
    assert kind not in FORMATS


@pytest.mark.parametrize("reason", REASONS)
def test_reason_is_documented(reason: str) -> None:
    assert reason in rows(page("formats.md"))


def test_every_column_that_can_be_mapped_is_documented() -> None:
    assert set(re.findall(r"`([a-z_]+)`", page("formats.md"))) >= MAPPABLE
