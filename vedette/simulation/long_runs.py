"""Runs of days and weeks: all scenarios every day, events piece by piece in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from detectors.findings import EntityType
from ingest.times import microseconds
from vedette.simulation.actors import draw_actors
from vedette.simulation.draws import stream
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.faults import befall
from vedette.simulation.happenings import Happening, begin_of, happen
from vedette.simulation.hours import ordinary_pieces
from vedette.simulation.scenarios import Scenario, at_intensities, choose_scenarios
from vedette.simulation.simulation import check_run, settings_of, truth_of
from vedette.simulation.truth import INTENSITIES, Intensity, Truth

_DAY_US: Final = 86_400_000_000

#: What is found about a route, a service or all is one incident if less than this lies between.
_APART_US: Final = 45 * 60_000_000
#: What fails, fails when people change it: from 8 to 20 o'clock, UTC.
_WORK_BEGINS_US, _WORK_US = 8 * 3_600_000_000, 12 * 3_600_000_000
_SHARED: Final = frozenset({"route", "service", "all"})


@dataclass(frozen=True, slots=True)
class LongRun:
    """A run of which the events are made when they are asked for; the truth is known before."""

    seed: int
    start: datetime
    duration: timedelta
    requests_per_second: float
    truth: list[Truth]
    settings_toml: str
    happenings: tuple[Happening, ...] = field(repr=False)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the events (SIMULATED_SCHEMA) in order of completion, half an hour at a time.

        Each call begins anew and gives the same frames.
        """
        first, last = microseconds(self.start), microseconds(self.start + self.duration)
        faults = [each for each in self.happenings if each.changes_traffic]
        nothing = pl.DataFrame(schema=SIMULATED_SCHEMA)
        scripted = pl.concat([nothing, *(each.events for each in self.happenings)])
        scripted = scripted.sort("timestamp", maintain_order=True)
        time = scripted["timestamp"].to_physical()
        pieces = ordinary_pieces(self.seed, first, last, self.requests_per_second)
        for begin, end, ordinary in pieces:
            for each in faults:
                ordinary = befall(ordinary, self.seed, each.scenario, each.actor, each.begin)  # noqa: PLW2901
            low, high = (int(time.search_sorted(edge, side="left")) for edge in (begin, end))
            both = [ordinary, scripted[low:high]]
            yield pl.concat(both).sort("timestamp", maintain_order=True)


def long_run(
    seed: int,
    start: datetime,
    duration: timedelta,
    *,
    requests_per_second: float = 25.0,
    scenarios: Sequence[str] | None = None,
    intensities: Sequence[Intensity] = INTENSITIES,
) -> LongRun:
    """Return a run of days from `start`; the same arguments give the same run.

    Every day (24 hours from `start` on, the last may be shorter) has each of the scenarios, None
    for all, attacks once at each of the `intensities`, each from clients of its own and at a time
    that the seed decides. Attacks of which something shared is reported (a route, a service, all)
    keep apart. On a last day that is shorter, what does not fit is left out.

    Raises ValueError as `simulate` does.
    """
    check_run(start, duration, requests_per_second)
    chosen = at_intensities(choose_scenarios(scenarios), intensities)
    first, last = microseconds(start), microseconds(start + duration)
    happenings: list[Happening] = []
    for day, begin in enumerate(range(first, last, _DAY_US)):
        happenings += _day(seed, day, chosen, begin, min(begin + _DAY_US, last))
    return LongRun(
        seed=seed,
        start=start,
        duration=duration,
        requests_per_second=requests_per_second,
        truth=truth_of(happenings),
        settings_toml=settings_of(chosen, start, duration),
        happenings=tuple(happenings),
    )


def _day(
    seed: int, day: int, scenarios: Sequence[Scenario], first: int, last: int
) -> Iterator[Happening]:
    actors = draw_actors(seed, day)
    fitting = [each for each in scenarios if each.lasts_us <= last - first]
    slots = _slots(seed, day, fitting, first, last)
    for scenario in fitting:
        rng = stream(seed, f"{scenario.stream} {day}")
        begin = slots.get(scenario.stream, begin_of(rng, scenario, first, last))
        yield happen(rng, scenario, actors[scenario.stream], begin, (first, last))


def _slots(
    seed: int, day: int, scenarios: Sequence[Scenario], first: int, last: int
) -> dict[str, int]:
    """Return when the scenarios begin that must keep apart, by `Scenario.stream`."""
    groups: dict[frozenset[tuple[EntityType, str]], list[Scenario]] = {}
    for scenario in scenarios:
        if shared := _shared(scenario):
            groups.setdefault(shared, []).append(scenario)
    rng = stream(seed, f"slots {day}")
    slots: dict[str, int] = {}
    for group in groups.values():
        by_day = all(each.pattern == "outage" for each in group)
        slots |= _apart(rng, group, *(_daytime(first, last) if by_day else (first, last)))
    return slots


def _daytime(first: int, last: int) -> tuple[int, int]:
    """Return when people work and change services, on a whole day; else all of it."""
    begin = first + (_WORK_BEGINS_US - first) % _DAY_US
    end = begin + _WORK_US
    return (begin, end) if end <= last else (first, last)


def _shared(scenario: Scenario) -> frozenset[tuple[EntityType, str]]:
    """Return what may be reported of this scenario and of another one too."""
    own = (scenario.entity, scenario.entity_name or scenario.entity)
    entities = {own, *scenario.also}
    return frozenset(each for each in entities if each[0] in _SHARED)


def _apart(
    rng: np.random.Generator, scenarios: Sequence[Scenario], first: int, last: int
) -> dict[str, int]:
    """Return when they begin: in random order, with pauses and what room there is at random.

    In a run that is too short for all of them none has a place, and they come when they come.
    """
    room = last - first - sum(each.lasts_us + _APART_US for each in scenarios)
    if room < 0:
        return {}
    extra = np.sort((rng.random(len(scenarios)) * room).astype(np.int64)).tolist()
    slots: dict[str, int] = {}
    begin = first
    for place, wait in zip(rng.permutation(len(scenarios)).tolist(), extra, strict=True):
        scenario = scenarios[place]
        slots[scenario.stream] = begin + wait
        begin += scenario.lasts_us + _APART_US
    return slots
