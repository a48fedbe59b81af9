"""What becomes of notifications that are due, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.incidents.views import IncidentView
from alerts.muting.judging import Judgement, Row, heard, judge
from alerts.routing.target import Target
from detectors.findings import Level
from tests.alerts.sending import target

NOW = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
OPS = target("ops")
INCIDENT = IncidentView(
    id=7,
    severity="medium",
    status="open",
    resolution=None,
    entity_type="client",
    entity="203.0.113.7",
    members=(),
    member_count=1,
    detectors=("recon",),
    tags=(),
    started_at=NOW,
    last_at=NOW,
    summary="",
    mode="alert",
    merged_into=None,
    parent_id=None,
    stages=(),
    services=(),
    assignee=None,
    labels=(),
)
OVER = replace(INCIDENT, status="resolved")
SEEN = replace(INCIDENT, status="acknowledged")


def row(number: int, transition: str, state: str = "pending", **changes: Any) -> Row:
    return Row(number, 7, transition, "all", NOW, state, **changes)


def told(judgement: Judgement) -> list[str]:
    assert not judgement.wait
    return [row.transition for row in judgement.tell]


def dropped(judgement: Judgement) -> dict[str, str]:
    assert all(drop.state == "suppressed" for drop in judgement.drop)
    return {drop.row.transition: drop.reason for drop in judgement.drop}


OPENED = row(1, "opened")
SENT = row(1, "opened", "sent", delivery_id=1)
CALM = row(2, "calm:1")
RAISED = row(3, "severity:high")
RETURNED = row(4, "returned:1")
TOO_LATE = "over before it could be told"
BACK = "active again before it could be told"


@pytest.mark.parametrize(
    ("rows", "incident", "tell", "drop"),
    [
        ([OPENED], INCIDENT, ["opened"], {}),
        ([OPENED, RAISED], INCIDENT, ["opened", "severity:high"], {}),
        ([OPENED, CALM], OVER, [], {"opened": TOO_LATE, "calm:1": TOO_LATE}),
        ([SENT, CALM], OVER, ["calm:1"], {}),
        ([SENT, row(5, "resolved:4")], OVER, ["resolved:4"], {}),
        ([SENT, RAISED, CALM], OVER, ["severity:high", "calm:1"], {}),
        ([SENT, row(5, "repeat:1"), CALM], OVER, ["calm:1"], {"repeat:1": TOO_LATE}),
        ([SENT, RAISED], OVER, [], {"severity:high": TOO_LATE}),
        ([SENT, CALM, RETURNED], INCIDENT, [], {"calm:1": BACK, "returned:1": BACK}),
        ([SENT, CALM, RETURNED, RAISED], INCIDENT, ["severity:high"], None),
        ([OPENED, CALM, RETURNED], INCIDENT, ["opened", "returned:1"], {"calm:1": BACK}),
        ([SENT, row(5, "repeat:1")], SEEN, [], {"repeat:1": "acknowledged"}),
        ([row(5, "escalated:1")], SEEN, [], {"escalated:1": "acknowledged"}),
        ([SENT, RAISED], SEEN, ["severity:high"], {}),
    ],
)
def test_only_what_it_is_now_is_told(
    rows: list[Row], incident: IncidentView, tell: list[str], drop: dict[str, str] | None
) -> None:
    judgement = judge(rows, incident, OPS)
    assert told(judgement) == tell
    if drop is not None:
        assert dropped(judgement) == drop


def test_an_end_that_was_told_is_not_told_twice() -> None:
    ended = row(2, "calm:1", "sent", delivery_id=2)
    again = [row(4, "returned:1"), row(5, "calm:2")]
    assert told(judge([SENT, ended, *again], OVER, OPS)) == []
    assert told(judge([SENT, ended, again[0]], INCIDENT, OPS)) == ["returned:1"]


def test_ends_are_told_only_to_who_wants_them() -> None:
    target: Target = replace(OPS, send_resolved=False)
    (reason,) = dropped(judge([SENT, CALM], OVER, target)).values()
    assert "send_resolved" in reason
    assert told(judge([SENT, RETURNED], INCIDENT, target)) == ["returned:1"]


def test_too_small_is_not_told_until_it_grows() -> None:
    target = replace(OPS, min_level=Level.HIGH)
    assert dropped(judge([OPENED], INCIDENT, target)) == {"opened": "below high"}
    small = row(1, "opened", "suppressed", reason="below high")
    high = replace(INCIDENT, severity="high")
    assert told(judge([small, RAISED], high, target)) == ["opened", "severity:high"]
    assert told(judge([SENT, RAISED], high, target)) == ["severity:high"]


def test_an_end_waits_while_the_opening_is_under_way() -> None:
    later = NOW + timedelta(seconds=5)
    opening = row(1, "opened", "bundled", delivery_id=1, again_at=later)
    judgement = judge([opening, CALM], OVER, OPS)
    assert (judgement.wait, judgement.until) == ((CALM,), later)
    assert not judgement.tell
    assert not judgement.drop


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"merged_into": 3, "status": "closed"}, "suppressed", "merged into incident 3"),
        ({"parent_id": 4}, "rolled_up", "part of incident 4"),
    ],
)
def test_what_is_part_of_another_is_not_told(
    changes: dict[str, Any], state: str, reason: str
) -> None:
    (drop,) = judge([OPENED], replace(INCIDENT, **changes), OPS).drop
    assert (drop.state, drop.reason) == (state, reason)


def test_what_was_removed_is_not_told() -> None:
    assert dropped(judge([OPENED], None, OPS)) == {"opened": "the incident was removed"}


def test_what_was_sent_or_dropped_is_not_judged_again() -> None:
    assert judge([SENT], INCIDENT, OPS) == Judgement()


def test_heard() -> None:
    assert heard([OPENED]) == "nothing"
    assert heard([SENT, CALM]) == "active"
    assert heard([SENT, row(2, "calm:1", "sent", delivery_id=2)]) == "over"
    back = row(4, "returned:1", "sent", delivery_id=3)
    assert heard([SENT, row(2, "calm:1", "sent", delivery_id=2), back]) == "active"


def test_heard_when_what_is_known_of_messages_is_pruned() -> None:
    calm, back = row(2, "calm:1", "sent"), row(4, "returned:1", "sent")
    assert heard([row(1, "opened", "sent"), calm]) == "over"
    assert heard([row(1, "opened", "sent"), calm, back]) == "active"
    assert heard([calm, back, row(5, "resolved:4", "sent", delivery_id=9)]) == "over"
