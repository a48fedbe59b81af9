"""What people may decide about an incident, and what it amounts to. Pure: no database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final, get_args

from alerts.incidents.content import Content
from alerts.incidents.lifecycle import ENDED, Resolution, State, Status

#: Where an incident can go from each status, by a person.
LEGAL: Final[dict[Status, frozenset[Status]]] = {
    "open": frozenset({"acknowledged", "resolved", "closed"}),
    "acknowledged": frozenset({"open", "resolved", "closed"}),
    "resolved": frozenset({"open", "acknowledged", "closed"}),
    "closed": frozenset({"open", "acknowledged"}),
}

#: Labels of one incident at most, and characters of one.
LABELS: Final = 32
LABEL_LENGTH: Final = 64

#: Characters of the name of whoever handles an incident.
ASSIGNEE_LENGTH: Final = 100

#: Characters of one comment.
COMMENT_LENGTH: Final = 10_000


class IllegalChangeError(ValueError):
    """What was asked for cannot be done; the message says why, and what can."""


class Keep(Enum):
    """The assignee stays whoever it is; None would be nobody."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants changed; what is not given stays.

    `resolution` goes with `status` resolved or closed: both end an incident, and it says as what.
    """

    status: Status | None = None
    resolution: Resolution | None = None
    assignee: str | Keep | None = KEEP
    add_labels: tuple[str, ...] = ()
    remove_labels: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: what somebody did."""

    action: str
    detail: dict[str, Any]


def decide(
    state: State, content: Content, change: Change, now: datetime
) -> tuple[State, list[Entry]]:
    """Return the state after a change, and the lines that say what changed; none if nothing did.

    The severity of `content` is what the person saw. Raises IllegalChangeError.
    """
    if change == Change():
        raise IllegalChangeError(
            "nothing to change: give a status, an assignee, labels or a comment"
        )
    entries: list[Entry] = []
    if change.status is not None or change.resolution is not None:
        before = state
        state = _with_status(state, content, change, now)
        entries.append(Entry("status", {"before": _status(before), "after": _status(state)}))
    if not isinstance(change.assignee, Keep):
        name = None if change.assignee is None else named(change.assignee, "an assignee")
        if name != state.assignee:
            entries.append(Entry("assigned", {"before": state.assignee, "after": name}))
            at = max(now, state.assigned_at or now)
            state = replace(state, assignee=name, assigned_at=at)
    labels = _with_labels(state.labels, change)
    if labels != state.labels:
        entries.append(
            Entry("labelled", {"before": list(state.labels), "after": list(labels)}),
        )
        state = replace(state, labels=labels)
    if change.comment is not None:
        entries.append(Entry("commented", {"text": _comment(change.comment)}))
    return state, entries


def named(name: str, what: str) -> str:
    """Return the name of a person without blanks around it; raises IllegalChangeError."""
    return _line(name, what, ASSIGNEE_LENGTH)


def _with_status(state: State, content: Content, change: Change, now: datetime) -> State:
    wanted = change.status or state.status
    _check(state, wanted, change)
    decided = replace(
        state,
        decided_at=max(now, state.decided_at or now),
        decided_severity=content.severity if content.mode == "alert" else None,
    )
    if wanted in ENDED:
        return replace(decided, status=wanted, resolution=change.resolution, auto_resolved=False)
    return replace(
        decided,
        status=wanted,
        resolution=None,
        auto_resolved=state.auto_resolved or state.status in ENDED,
        acknowledged_at=decided.decided_at if wanted == "acknowledged" else None,
    )


def _check(state: State, wanted: Status, change: Change) -> None:
    ends = wanted in ENDED
    if wanted not in LEGAL:
        raise IllegalChangeError(f"no status is called {wanted!r}; there are {_any_of(LEGAL)}")
    if change.resolution is not None and change.resolution not in get_args(Resolution):
        raise IllegalChangeError(
            f"no resolution is called {change.resolution!r};"
            f" there are {_any_of(get_args(Resolution))}"
        )
    if ends and change.resolution is None:
        raise IllegalChangeError(
            f"{wanted} needs a resolution: one of {_any_of(get_args(Resolution))}"
        )
    if not ends and change.resolution is not None:
        raise IllegalChangeError(
            f"what is {wanted} has no resolution; those are for resolved and closed"
        )
    if wanted == state.status:
        # Calm resolved it, and a person confirms that; or a person corrects the resolution.
        if ends and (state.auto_resolved or change.resolution != state.resolution):
            return
        raise IllegalChangeError(f"it is {wanted} already")
    if wanted not in LEGAL[state.status]:
        raise IllegalChangeError(
            f"what is {state.status} cannot become {wanted}; it can become"
            f" {_any_of(LEGAL[state.status])}"
        )


def _with_labels(labels: tuple[str, ...], change: Change) -> tuple[str, ...]:
    added = {_line(label, "a label", LABEL_LENGTH) for label in change.add_labels}
    removed = {label.strip() for label in change.remove_labels}
    if both := added & removed:
        raise IllegalChangeError(f"both added and removed: {_any_of(both)}")
    united = (set(labels) | added) - removed
    if added and len(united) > LABELS:
        raise IllegalChangeError(
            f"an incident has {LABELS} labels at most, and would have {len(united)};"
            " remove some first"
        )
    return tuple(sorted(united))


def _line(text: str, what: str, limit: int) -> str:
    text = text.strip()
    if not text:
        raise IllegalChangeError(f"{what} needs a character at least")
    if len(text) > limit:
        raise IllegalChangeError(f"{what} has {limit} characters at most, not {len(text)}")
    if not text.isprintable():
        raise IllegalChangeError(f"{what} is one line of printable characters")
    return text


def _comment(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise IllegalChangeError("a comment needs a character at least")
    if len(text) > COMMENT_LENGTH:
        raise IllegalChangeError(
            f"a comment has {COMMENT_LENGTH:,} characters at most, not {len(text):,}"
        )
    if not all(line.isprintable() for line in text.replace("\t", " ").split("\n")):
        raise IllegalChangeError(
            "a comment is made of printable characters, tabs and new lines; remove the others"
        )
    return text


def _status(state: State) -> dict[str, Any]:
    said = {"status": state.status, "resolution": state.resolution}
    return said | {"by_calm": True} if state.status in ENDED and state.auto_resolved else said


def _any_of(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
