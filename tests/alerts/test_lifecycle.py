"""What becomes of people's decisions when incidents grow and join."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.content import content_of
from alerts.incidents.lifecycle import ENDED, Part, State, Status, grow, joined
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
TODAY = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def finding(first: int, last: int, level: Level = Level.MEDIUM) -> Finding:
    return Finding(
        detector=f"burst {first}",
        entity_type="client",
        entity="203.0.113.7",
        first=START + first * MINUTE,
        last=START + last * MINUTE,
        value=12,
        threshold=10,
        unit="requests",
        window=MINUTE,
        level=level,
    )


def part(identity: int, *findings: Finding, **state: Any) -> tuple[Part, tuple[Finding, ...]]:
    return Part(identity, State(**state), content_of(findings)), findings


def together(*given: tuple[Part, tuple[Finding, ...]]) -> tuple[State, list[str | None]]:
    parts = [part for part, _ in given]
    findings = tuple(finding for _, found in given for finding in found)
    news = [finding for _, found in given[1:] for finding in found]
    state, steps = grow(parts, content_of(findings), findings, news)
    return state, [step.transition for step in steps if step.transition]


def decided(minute: int, status: Status, seen: Level = Level.MEDIUM, **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "resolution": "benign" if status in ENDED else None,
        "decided_at": TODAY + minute * MINUTE,
        "decided_severity": seen,
        "acknowledged_at": TODAY if status == "acknowledged" else None,
        **more,
    }


def test_the_latest_decision_is_that_of_the_whole() -> None:
    elder = part(1, finding(0, 1), **decided(5, "acknowledged"))
    younger = part(2, finding(10, 11), **decided(6, "closed"))
    state, told = together(elder, younger)
    assert (state.status, state.resolution, told) == ("closed", "benign", [])
    assert state.decided_at == TODAY + 6 * MINUTE
    state, told = together(part(1, finding(0, 1), **decided(7, "acknowledged")), younger)
    assert (state.status, state.resolution, told) == ("acknowledged", None, [])


def test_what_joins_undecided_is_as_the_other_was_left() -> None:
    state, told = together(part(1, finding(0, 1)), part(2, finding(10, 11), **decided(1, "closed")))
    assert (state.status, told) == ("closed", [])


def test_an_ending_does_not_cover_what_joins_and_is_severer() -> None:
    elder = part(1, finding(0, 1, Level.HIGH))
    younger = part(2, finding(10, 11), **decided(6, "closed"))
    state, told = together(elder, younger)
    assert (state.status, state.resolution, told) == ("open", None, ["returned:1"])
    assert state.decided_at == TODAY + 6 * MINUTE


def test_what_calm_resolved_returns_with_the_decision_of_the_younger() -> None:
    elder = part(1, finding(0, 1), status="resolved", auto_resolved=True, calms=1)
    younger = part(2, finding(10, 11), **decided(6, "acknowledged"))
    state, told = together(elder, younger)
    assert (state.status, state.auto_resolved, told) == ("acknowledged", False, ["returned:1"])


def test_what_was_opened_again_stays_so_only_if_it_was_the_last() -> None:
    opened = decided(6, "open", auto_resolved=True)
    middle = part(2, finding(10, 11), **opened)
    state, _ = together(part(1, finding(0, 1)), middle)
    assert (state.status, state.held_open) == ("open", True)
    state, _ = together(part(1, finding(0, 1)), middle, part(3, finding(20, 21)))
    assert (state.status, state.held_open) == ("open", False)


def test_what_only_grows_backwards_stays_opened_again() -> None:
    elder = part(1, finding(10, 11), **decided(6, "open", auto_resolved=True))
    earlier = finding(0, 1)
    state, steps = grow(
        [elder[0]], content_of((earlier, *elder[1])), (earlier, *elder[1]), [earlier]
    )
    assert state == elder[0].state
    assert [step.action for step in steps] == ["detector"]


@st.composite
def states(draw: st.DrawFn) -> State:
    status: Status = draw(st.sampled_from(["open", "acknowledged", "resolved", "closed"]))
    auto = status != "closed" and draw(st.booleans())
    return State(
        status=status,
        resolution="benign" if status in ENDED and not auto else None,
        auto_resolved=auto,
        acknowledged_at=TODAY if status == "acknowledged" else None,
        labels=tuple(sorted(draw(st.sets(st.sampled_from("xyz"))))),
    )


@given(
    drawn=st.lists(states(), min_size=3, max_size=3),
    decided=st.permutations([0, 1, 2]),
    assigned=st.permutations([0, 1, 2]),
)
def test_it_does_not_matter_in_which_order_three_join(
    drawn: list[State], decided: list[int], assigned: list[int]
) -> None:
    parts = [
        Part(
            number,
            replace(
                state,
                decided_at=TODAY + decided[number] * MINUTE,
                decided_severity=Level(decided[number] + 1),
                assigned_at=TODAY + assigned[number] * MINUTE,
                assignee=f"person {number}",
            ),
            content_of((finding(number * 10, number * 10 + 1),)),
        )
        for number, state in enumerate(drawn)
    ]

    def said(state: State) -> State:
        """What people said, without what calm makes of it meanwhile."""
        return replace(state if state.ended_by_person else state.reopened(), calms=0)

    whole, _ = joined(parts)
    for one, two, three in permutations(parts):
        first, _ = joined([one, two])
        state, _ = joined([replace(one, state=first), three])
        assert said(state) == said(whole)
