"""From what is typed after `vedette incidents` to the filter of the list."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, get_args

from alerts.incidents.lifecycle import Status
from alerts.incidents.stages import Stage
from alerts.lists.filters import SORTS, TEXT_LIMIT, IncidentFilter
from detectors.findings import EntityType, Level
from ingest.durations import parse_duration
from ingest.masking import printable

T = TypeVar("T")

STATUSES: Final[tuple[str, ...]] = get_args(Status)
_LEVELS: Final = tuple(level.label for level in Level)
_STAGES: Final = tuple(stage.name.lower() for stage in Stage)
_MODES: Final = ("alert", "monitor", "any")


def wanted_of(given: Mapping[str, Any], now: datetime) -> IncidentFilter:
    """Return the filter that options name; raises ValueError, which names the option.

    Times are as in 2026-12-31T08:00:00Z, or so long before `now`, as in 2h.
    """
    text = given["text"]
    if text is not None and len(text) > TEXT_LIMIT:
        raise ValueError(f"--text: must have at most {TEXT_LIMIT} characters")
    if given["assignee"] is not None and given["unassigned"]:
        raise ValueError("--assignee and --unassigned: one of them at a time")
    least = _one_of("--severity-min", given["severity_min"], _LEVELS)
    return IncidentFilter(
        statuses=_all_of("--status", given["status"], STATUSES),
        severities=tuple(
            Level[each.upper()] for each in _all_of("--severity", given["severity"], _LEVELS)
        ),
        severity_min=None if least is None else Level[least.upper()],
        entity_type=_one_of("--entity-type", given["entity_type"], get_args(EntityType)),
        stage=_one_of("--stage", given["stage"], _STAGES),
        since=time_of("--since", given["since"], now),
        until=time_of("--until", given["until"], now),
        mode=_one_of("--mode", given["mode"], _MODES) or "alert",  # type: ignore[arg-type]
        sort=_one_of("--sort", given["sort"], SORTS) or "last",  # type: ignore[arg-type]
        **{name: given[name] for name in _AS_GIVEN},
    )


_AS_GIVEN: Final = (
    "entity",
    "detector",
    "service",
    "tag",
    "label",
    "assignee",
    "unassigned",
    "text",
    "parent",
    "include_members",
)


def _all_of(option: str, given: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    return tuple(_known(option, each, known) for each in given or ())


def _one_of(option: str, given: str | None, known: Sequence[str]) -> str | None:
    return None if given is None else _known(option, given, known)


def _known(option: str, given: str, known: Sequence[str]) -> str:
    if given.lower() not in known:
        raise ValueError(f"{option} {printable(given)}: must be one of {', '.join(known)}")
    return given.lower()


def time_of(option: str, given: str | None, now: datetime) -> datetime | None:
    """Return the time that an option names, or that was so long before `now`.

    Raises ValueError, naming the option.
    """
    if given is None:
        return None
    try:
        return now - parse_duration(given)
    except (ValueError, OverflowError):
        pass
    try:
        time = datetime.fromisoformat(given)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{option} {printable(given)}: must be a date and time, as in 2026-12-31T08:00:00Z,"
            " or how long ago, as in 2h"
        ) from None
