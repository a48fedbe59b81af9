"""What is known of incidents: an attack, a false alarm, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from detectors.findings import Finding
from vedette.backtest.incidents import Incident
from vedette.evaluation.episodes import Episode
from vedette.evaluation.matching import Alarm, Matched, match

#: `unknown`: nobody said. `unsure`: somebody said that it is neither.
Label = Literal["attack", "false alarm", "unsure", "unknown"]


@dataclass(frozen=True, slots=True)
class Known:
    """A label, and the name of what the incident was about, empty if it has none."""

    label: Label
    name: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a log. `complete`: all that is no attack in it is a false alarm."""

    episodes: tuple[Episode, ...] = ()
    complete: bool = False

    @property
    def says_something(self) -> bool:
        """Whether there is any label."""
        return self.complete or bool(self.episodes)


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of some incidents, in their order, and attacks as evaluation has them."""

    known: tuple[Known, ...]
    matched: Matched


def labelled(
    truth: Truth, incidents: Sequence[Incident], findings: Iterable[Finding], days: float
) -> Labelled:
    """Say of each incident what is known of it."""
    matched = match(truth.episodes, map(alarm_of, incidents), findings, days)
    known: list[Known] = []
    for outcome in matched.alarms:
        if outcome.verdict in {"attack", "part"}:
            known.append(Known("attack", outcome.about or ""))
        elif outcome.verdict == "unsure":
            known.append(Known("unsure", outcome.about or ""))
        elif truth.complete or outcome.about:
            known.append(Known("false alarm", outcome.about or ""))
        else:
            known.append(Known("unknown"))
    return Labelled(tuple(known), matched)


def alarm_of(incident: Incident) -> Alarm:
    """Return an incident as evaluation judges it."""
    return Alarm(
        entity=(incident.entity_type, incident.entity),
        detectors=incident.detectors,
        started_at=incident.started_at,
        last_at=incident.last_at,
        window=max((f.window for f in incident.findings), default=timedelta(0)),
        members=frozenset().union(*(f.members for f in incident.findings)),
        child=incident.parent is not None,
    )
