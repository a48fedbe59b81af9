"""A scenario put into a run: when, by whom, with which requests, and the truth about it."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ingest.times import moment
from vedette.simulation.actors import Actor, also_of, entity_of
from vedette.simulation.arrivals import draw_arrivals
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.office import arrival, office_events
from vedette.simulation.scenarios import FAULTS, Scenario
from vedette.simulation.scripted import burst_events, daily_events, steady_events
from vedette.simulation.truth import Truth


@dataclass(frozen=True, slots=True)
class Happening:
    """One scenario in one run. Its events may be none, if it changes ordinary traffic.

    `usual` is what the regular does of whom it is about, on all days.
    """

    scenario: Scenario
    actor: Actor
    begin: int
    events: pl.DataFrame = field(repr=False)
    truth: Truth | None
    usual: pl.DataFrame = field(default_factory=SIMULATED_SCHEMA.to_frame, repr=False)

    @property
    def changes_traffic(self) -> bool:
        """Whether it is something that befalls ordinary requests."""
        return self.scenario.pattern in FAULTS


def happen(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, begin: int, run: tuple[int, int]
) -> Happening:
    """Return what the scenario does from `begin` within the run (both in microseconds).

    Raises ValueError if a burst or a fault does not fit into the run.
    """
    first, last = run
    if scenario.lasts_us and (begin < first or begin + scenario.lasts_us > last):
        raise ValueError(
            f"scenario {scenario.name} lasts {scenario.window_seconds} s and does not fit into the "
            "run: lengthen the duration or leave the scenario out"
        )
    if scenario.pattern == "steady":
        events = steady_events(rng, scenario, actor, first, last)
    elif scenario.pattern == "burst":
        events = burst_events(rng, scenario, actor, begin)
    elif scenario.pattern == "office":
        whole = office_events(rng, scenario, actor.address, begin)
        events = whole.filter(pl.col("timestamp").to_physical() < last)
    elif scenario.pattern == "daily":
        events = daily_events(rng, scenario, actor, first, last)
    else:
        events = pl.DataFrame(schema=SIMULATED_SCHEMA)
    return Happening(scenario, actor, begin, events, _truth(scenario, actor, begin, events))


def begin_of(rng: np.random.Generator, scenario: Scenario, first: int, last: int) -> int:
    """Return when the scenario begins: an office at its hour, faults when busy, else anywhere."""
    if scenario.pattern in {"steady", "daily"}:
        return first
    if scenario.pattern == "office":
        return arrival(rng, scenario, first, last)
    room = last - first - scenario.lasts_us
    if room <= 0:
        return first
    if scenario.pattern in FAULTS:
        return int(draw_arrivals(rng, first, first + room, 1)[0])
    return first + int(rng.random() * room)


def _truth(scenario: Scenario, actor: Actor, begin: int, events: pl.DataFrame) -> Truth | None:
    if events.height:
        times = events["timestamp"].to_physical().sort()
        started, ended = int(times[0]), int(times[-1])
    elif scenario.pattern in FAULTS:
        started, ended = begin, begin + scenario.lasts_us
    else:
        return None
    return Truth(
        scenario=scenario.name,
        kind=scenario.kind,
        entity_type=scenario.entity,
        entity=entity_of(scenario, actor),
        detectors=scenario.detectors,
        started_at=moment(started),
        ended_at=moment(ended),
        requests=events.height,
        intensity=scenario.intensity,
        members=actor.members,
        also=also_of(scenario, actor) if scenario.kind == "attack" else (),
        needs=scenario.needs,
    )
