"""Runs of days and weeks: all scenarios every day, events piece by piece in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from ingest.times import microseconds
from vedette.simulation.actors import draw_actors
from vedette.simulation.draws import stream
from vedette.simulation.faults import befall
from vedette.simulation.happenings import Happening, begin_of, happen
from vedette.simulation.hours import ordinary_pieces
from vedette.simulation.scenarios import Scenario, at_intensities, choose_scenarios
from vedette.simulation.simulation import check_run, settings_of, truth_of
from vedette.simulation.truth import INTENSITIES, Intensity, Truth

_DAY_US: Final = 86_400_000_000

#: What is found about a route, a service or all is one incident if less than this lies between.
_APART_US: Final = 45 * 60_000_000
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
        scripted = pl.concat([each.events for each in self.happenings]).sort(
            "timestamp", maintain_order=True
        )
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
    """Return when the scenarios begin that must keep apart: in random order, with pauses.

    What room there is beyond the scenarios and their pauses is spread at random. On a day that
    is too short for all, none has a place here, and they come whenever they come.
    """
    shared = [each for each in scenarios if is_shared(each)]
    room = last - first - sum(each.lasts_us + _APART_US for each in shared)
    if room < 0 or not shared:
        return {}
    rng = stream(seed, f"slots {day}")
    extra = sorted((rng.random(len(shared)) * room).astype(int).tolist())
    slots: dict[str, int] = {}
    begin = first
    for place, wait in zip(rng.permutation(len(shared)).tolist(), extra, strict=True):
        scenario = shared[place]
        slots[scenario.stream] = begin + wait
        begin += scenario.lasts_us + _APART_US
    return slots


def is_shared(scenario: Scenario) -> bool:
    """Whether what is reported of it may be reported of another scenario too."""
    kinds = {scenario.entity, *(kind for kind, _ in scenario.also)}
    return scenario.kind == "attack" and not kinds.isdisjoint(_SHARED)
