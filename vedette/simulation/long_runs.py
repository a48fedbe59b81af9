"""Runs of days and weeks: all scenarios every day, events piece by piece in bounded memory.

Days without attacks may come before: the history that detectors learn from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from detectors.findings import EntityType
from ingest.times import microseconds
from vedette.simulation.actors import draw_actors
from vedette.simulation.declarations import documents
from vedette.simulation.draws import stream
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.faults import befall
from vedette.simulation.happenings import Happening, begin_of, happen
from vedette.simulation.histories import happen_after, in_turn
from vedette.simulation.homelands import with_countries
from vedette.simulation.hours import ordinary_pieces
from vedette.simulation.scenarios import Scenario, at_intensities, choose_scenarios
from vedette.simulation.simulation import check_run, settings_of, truth_of
from vedette.simulation.truth import INTENSITIES, Intensity, Truth

_DAY_US: Final = 86_400_000_000

#: What is found about a route, a service or all is one incident if less than this lies between;
#: of what shows in all traffic, detectors look back and forth half an hour.
_APART_US: Final = 45 * 60_000_000
_FAR_APART_US: Final = 100 * 60_000_000
#: What fails, fails when people change it: from 8 to 20 o'clock, UTC; and other things happen while
#: people are awake, from 6 to 23. When it begins, and for how long.
_WORK_US: Final = 8 * 3_600_000_000, 12 * 3_600_000_000
_WAKING_US: Final = 6 * 3_600_000_000, 17 * 3_600_000_000
_SHARED: Final = frozenset({"route", "service", "all"})


@dataclass(frozen=True, slots=True)
class LongRun:
    """A run of which the events are made when they are asked for; the truth is known before.

    Events begin `history` before `start`. `documents` are the OpenAPI documents that the settings
    name, by file.
    """

    seed: int
    start: datetime
    duration: timedelta
    requests_per_second: float
    truth: list[Truth]
    settings_toml: str
    happenings: tuple[Happening, ...] = field(repr=False)
    history: timedelta = timedelta(0)
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the events (SIMULATED_SCHEMA) in order of completion, half an hour at a time.

        Each call begins anew and gives the same frames.
        """
        first = microseconds(self.start - self.history)
        last = microseconds(self.start + self.duration)
        faults = [each for each in self.happenings if each.changes_traffic]
        nothing = pl.DataFrame(schema=SIMULATED_SCHEMA)
        made = (frame for each in self.happenings for frame in (each.events, each.usual))
        scripted = pl.concat([nothing, *made])
        scripted = scripted.sort("timestamp", maintain_order=True)
        time = scripted["timestamp"].to_physical()
        pieces = ordinary_pieces(self.seed, first, last, self.requests_per_second)
        for begin, end, ordinary in pieces:
            for each in faults:
                ordinary = befall(ordinary, self.seed, each.scenario, each.actor, each.begin)  # noqa: PLW2901
            low, high = (int(time.search_sorted(edge, side="left")) for edge in (begin, end))
            both = [ordinary, scripted[low:high]]
            events = pl.concat(both).sort("timestamp", maintain_order=True)
            yield with_countries(events) if self.documents else events


def long_run(
    seed: int,
    start: datetime,
    duration: timedelta,
    *,
    requests_per_second: float = 25.0,
    scenarios: Sequence[str] | None = None,
    intensities: Sequence[Intensity] = INTENSITIES,
    history: timedelta = timedelta(0),
) -> LongRun:
    """Return a run of days from `start`; the same arguments give the same run.

    With a `history` events begin so long before: ordinary traffic, regulars, and what comes daily.
    None for `scenarios` are then also those that need days before them. They come every other day,
    attacks at one of the `intensities` in turn, so that six days have each strength once.

    Every day (24 hours from `start` on, the last may be shorter) has each of the scenarios, None
    for all, attacks once at each of the `intensities`, each from clients of its own and at a time
    that the seed decides. Attacks of which something shared is reported (a route, a service, all)
    keep apart. On a last day that is shorter, what does not fit is left out.

    Raises ValueError as `simulate` does.
    """
    check_run(start, duration, requests_per_second)
    if history < timedelta(0):
        raise ValueError("history must not be less than 0")
    known = choose_scenarios(scenarios, history=history > timedelta(0))
    later = tuple(each for each in known if each.needs_history)
    chosen = at_intensities([each for each in known if not each.needs_history], intensities)
    at_intensities(later, intensities)  # refuses words that are none
    first, last = microseconds(start), microseconds(start + duration)
    happenings: list[Happening] = []
    for day, begin in enumerate(range(first, last, _DAY_US)):
        span = begin, min(begin + _DAY_US, last)
        happenings += _day(seed, day, chosen, *span)
        turn = tuple(in_turn(later, intensities, day))
        happenings += _day_after(seed, day, turn, span, (microseconds(start - history), last))
    return LongRun(
        seed=seed,
        start=start,
        duration=duration,
        requests_per_second=requests_per_second,
        truth=truth_of(happenings),
        settings_toml=settings_of((*chosen, *later), start, duration),
        happenings=tuple(happenings),
        history=history,
        documents=documents() if later else {},
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


def _day_after(
    seed: int,
    day: int,
    scenarios: Sequence[Scenario],
    span: tuple[int, int],
    whole: tuple[int, int],
) -> Iterator[Happening]:
    """Yield what needs days before it; what is about one service, or about all, keeps apart."""
    fitting = [each for each in scenarios if each.lasts_us <= span[1] - span[0]]
    groups: dict[str, list[Scenario]] = {}
    for each in fitting:
        if each.pattern != "daily" and (each.entity == "service" or _about_all(each)):
            name = "all" if _about_all(each) else str(each.entity_name)
            groups.setdefault(name, []).append(each)
    rng = stream(seed, f"slots after days {day}")
    slots: dict[str, int] = {}
    for name, group in groups.items():
        apart = _FAR_APART_US if name == "all" else _APART_US
        slots |= _apart(rng, group, *_daytime(*span, _WAKING_US), apart)
    for each in fitting:
        yield happen_after(seed, each, span, whole, number=day, begin=slots.get(each.stream))


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


def _about_all(scenario: Scenario) -> bool:
    return ("all", "all") in scenario.also


def _daytime(first: int, last: int, hours: tuple[int, int] = _WORK_US) -> tuple[int, int]:
    """Return when people work and change services, on a whole day; else all of it."""
    opens, long = hours
    begin = first + (opens - first) % _DAY_US
    end = begin + long
    return (begin, end) if end <= last else (first, last)


def _shared(scenario: Scenario) -> frozenset[tuple[EntityType, str]]:
    """Return what may be reported of this scenario and of another one too."""
    own = (scenario.entity, scenario.entity_name or scenario.entity)
    entities = {own, *scenario.also}
    return frozenset(each for each in entities if each[0] in _SHARED)


def _apart(
    rng: np.random.Generator,
    scenarios: Sequence[Scenario],
    first: int,
    last: int,
    apart: int = _APART_US,
) -> dict[str, int]:
    """Return when they begin: in random order, with pauses and what room there is at random.

    In a run that is too short for all of them none has a place, and they come when they come.
    """
    room = last - first - sum(each.lasts_us + apart for each in scenarios)
    if room < 0:
        return {}
    extra = np.sort((rng.random(len(scenarios)) * room).astype(np.int64)).tolist()
    slots: dict[str, int] = {}
    begin = first
    for place, wait in zip(rng.permutation(len(scenarios)).tolist(), extra, strict=True):
        scenario = scenarios[place]
        slots[scenario.stream] = begin + wait
        begin += scenario.lasts_us + apart
    return slots
