"""Reports what the simulated hours came to, the worst seed by name."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import pytest


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """How one seed came out; greater is worse.

    `slowest` is in seconds, from an attack's first request to the first one of its incident.
    """

    missed: int
    false_alarms: int
    slowest: float
    seed: int


#: A property of the reports of tests, which come from other processes where tests run in several.
HOUR: Final = "simulated hour"


@pytest.fixture
def outcome(record_property: Callable[[str, object], None]) -> Callable[[Outcome], None]:
    """Where each simulated hour tells its outcome."""
    return lambda found: record_property(HOUR, asdict(found))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many hours there were and how the worst came out."""
    found = [
        Outcome(**value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == HOUR and isinstance(value, dict)
    ]
    if found:
        worst = max(found)
        terminalreporter.write_line(
            f"{len(found)} simulated hours; worst seed {worst.seed}: {worst.missed} attacks "
            f"missed, {worst.false_alarms} false alarms"
        )
