"""docs/incidents.md has every status, step, resolution, stage, mark and limit."""

import re
from typing import get_args

import pytest

from alerts.incidents.content import INCIDENT_GAP
from alerts.incidents.decisions import ASSIGNEE_LENGTH, COMMENT_LENGTH, LABEL_LENGTH, LABELS, LEGAL
from alerts.incidents.lifecycle import CALM_AFTER, MEMBER_MARKS, Resolution, Status
from alerts.incidents.stages import Stage
from tests.docs.pages import page

PAGE = page("incidents.md")


def row(name: str) -> str:
    found = re.search(rf"^\| `{name}` \|.+\|$", PAGE, re.MULTILINE)
    assert found, f"docs/incidents.md has no row for `{name}`"
    return found[0]


@pytest.mark.parametrize("status", LEGAL)
def test_every_status_has_a_row_with_its_ways_on(status: Status) -> None:
    ways = row(status).rsplit("|", 2)[1]
    assert set(re.findall(r"`(\w+)`", ways)) == LEGAL[status]


@pytest.mark.parametrize("resolution", get_args(Resolution))
def test_every_resolution_has_a_row(resolution: str) -> None:
    assert row(resolution)


def test_stages_and_marks_are_named() -> None:
    assert re.findall(r"`(\w+)`", row("stage:NAME")) == [stage.name.lower() for stage in Stage]
    assert [f"`members:{mark}`" in PAGE for mark in MEMBER_MARKS] == [True] * len(MEMBER_MARKS)


def test_limits_are_those_of_the_program() -> None:
    for said in (
        f"a name of up to {ASSIGNEE_LENGTH} characters",
        f"up to {LABELS}\nlabels of up to {LABEL_LENGTH} characters",
        f"up to {COMMENT_LENGTH:,} characters",
        f"pauses of up to {INCIDENT_GAP.seconds // 60} minutes",
        f"After {CALM_AFTER.seconds // 60} minutes",
    ):
        assert said in PAGE
