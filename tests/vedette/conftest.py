"""Reports what the simulated hours came to, the worst seed by name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """How one seed came out; greater is worse."""

    missed: int
    false_alarms: int
    slowest: timedelta  # from an attack's first request to the first one of its incident
    seed: int


OUTCOMES: Final = pytest.StashKey[list[Outcome]]()


@pytest.fixture
def outcomes(pytestconfig: pytest.Config) -> list[Outcome]:
    """Where each simulated hour puts its outcome."""
    return pytestconfig.stash.setdefault(OUTCOMES, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many hours there were and how the worst came out."""
    found = config.stash.get(OUTCOMES, [])
    if found:
        worst = max(found)
        terminalreporter.write_line(
            f"{len(found)} simulated hours; worst seed {worst.seed}: {worst.missed} attacks "
            f"missed, {worst.false_alarms} false alarms"
        )
