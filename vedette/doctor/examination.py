"""Runs the checks; whatever one does, there are remarks from all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from vedette.doctor.bounded import Broken, Done, Outcome, together
from vedette.doctor.registry import CHECKS, SETTINGS, Check
from vedette.doctor.remark import STATUSES, Remark, Status, fail, skipped
from vedette.doctor.surroundings import Surroundings
from vedette.settings import SettingsError, load_settings

#: How long a check may take, and how many run side by side.
LIMIT_SECONDS: Final = 5.0
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Examined:
    """A check and what it said."""

    name: str
    remarks: Sequence[Remark]

    @property
    def status(self) -> Status:
        """The worst of its remarks."""
        return max((remark.status for remark in self.remarks), key=STATUSES.index)


def examine(config: Path | None, checks: Sequence[Check] = CHECKS) -> list[Examined]:
    """Look at the installation that has these settings; takes a bounded time, raises nothing.

    Without settings that can be read only that is said.
    """
    try:
        settings = load_settings(config)
    except SettingsError as error:
        return [_unread(check, error) for check in checks]
    return examined(Surroundings.of(settings, config), checks)


def examined(
    at: Surroundings, checks: Sequence[Check] = CHECKS, seconds: float = LIMIT_SECONDS
) -> list[Examined]:
    """Run checks on an installation."""
    jobs = [partial(_look, check, at) for check in checks]
    outcomes = together(jobs, seconds, AT_ONCE)
    return [
        Examined(check.name, list(_said(outcome)))
        for check, outcome in zip(checks, outcomes, strict=True)
    ]


def _look(check: Check, at: Surroundings) -> list[Remark]:
    return list(check.look(at))


def _said(outcome: Outcome[list[Remark]]) -> Iterator[Remark]:
    if isinstance(outcome, Done):
        yield from outcome.value or [skipped("nothing to look at")]
    elif isinstance(outcome, Broken):
        yield fail(
            f"this check broke: {outcome.kind} at {outcome.place}",
            "please report it; the other checks are not touched by it",
        )
    else:
        yield fail(
            f"no answer within {outcome.seconds:g} s",
            "see what it looks at: a disk, mount or host may hang",
        )


def _unread(check: Check, error: SettingsError) -> Examined:
    if check.name != SETTINGS:
        return Examined(check.name, [skipped("the settings cannot be read")])
    advice = "correct the file or the variable; docs/settings.md has all settings"
    return Examined(check.name, [fail(line, advice) for line in str(error).splitlines()])
