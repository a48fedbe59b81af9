"""A run: ordinary traffic with the scenarios mixed in, and the truth about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from ingest.times import microseconds
from vedette.simulation.actors import draw_actors
from vedette.simulation.declarations import documents, settings_after_days
from vedette.simulation.draws import stream
from vedette.simulation.faults import befall
from vedette.simulation.happenings import Happening, begin_of, happen
from vedette.simulation.histories import happen_after
from vedette.simulation.homelands import with_countries
from vedette.simulation.scenarios import (
    Scenario,
    at_intensities,
    choose_scenarios,
    settings,
)
from vedette.simulation.traffic import ordinary_events
from vedette.simulation.truth import Intensity, Truth


@dataclass(frozen=True, slots=True)
class Simulation:
    """What one run is made of.

    `events` has the columns of `events.SIMULATED_SCHEMA`, sorted by completion. `settings_toml`
    is what the user's settings must say for the near-misses to stay silent, `documents` are the
    OpenAPI documents that they name, by file.
    """

    seed: int
    start: datetime
    duration: timedelta
    events: pl.DataFrame = field(repr=False)
    truth: list[Truth]
    settings_toml: str
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)


def simulate(
    seed: int,
    start: datetime,
    duration: timedelta,
    *,
    requests_per_second: float = 25.0,
    scenarios: Sequence[str] | None = None,
    intensities: Sequence[Intensity] = ("medium",),
    placement: Mapping[str, timedelta] | None = None,
) -> Simulation:
    """Return a run of `duration` from `start`; the same arguments give the same run.

    Ordinary traffic has `requests_per_second` on average over the run, more at busy hours of the
    week; the scenarios (names of files in scenarios/) come on top, attacks at each of the
    `intensities`. None takes all that fit into the run and change nothing about ordinary traffic.
    Bursts and the offices begin at their offset in `placement`, else at a time that the seed
    decides.

    Raises ValueError if `start` has no time zone, if the duration or the rate is not positive, if
    a scenario or an intensity is unknown, or if a named scenario does not fit into the run.
    """
    check_run(start, duration, requests_per_second)
    first = microseconds(start)
    last = microseconds(start + duration)
    chosen = at_intensities(choose_scenarios(scenarios), intensities)
    if scenarios is None:
        chosen = tuple(each for each in chosen if each.in_every_run and _fits(each, first, last))
    placed = dict(placement or {})
    choose_scenarios(list(placed))
    actors = draw_actors(seed)
    happenings = []
    for scenario in chosen:
        rng = stream(seed, scenario.stream)
        offset = placed.get(scenario.name)
        begin = None if offset is None else first + offset // timedelta(microseconds=1)
        if scenario.needs_history:
            run = first, last
            happenings.append(happen_after(seed, scenario, run, run, begin=begin))
            continue
        if begin is None:
            begin = begin_of(rng, scenario, first, last)
        happenings.append(happen(rng, scenario, actors[scenario.stream], begin, (first, last)))
    ordinary = ordinary_events(seed, first, last, requests_per_second)
    for each in happenings:
        if each.changes_traffic:
            ordinary = befall(ordinary, seed, each.scenario, each.actor, each.begin)
    parts = [ordinary, *(frame for each in happenings for frame in (each.events, each.usual))]
    events = pl.concat(parts).sort("timestamp", maintain_order=True)
    days = needs_days(chosen)
    return Simulation(
        seed=seed,
        start=start,
        duration=duration,
        events=with_countries(events) if days else events,
        truth=truth_of(happenings),
        settings_toml=settings_of(chosen, start, duration),
        documents=documents() if days else {},
    )


def check_run(start: datetime, duration: timedelta, requests_per_second: float) -> None:
    """Raise ValueError if no run can have these arguments."""
    if start.tzinfo is None:
        raise ValueError("start needs a time zone, for example 2026-11-02T08:30:00+00:00")
    if duration <= timedelta(0) or requests_per_second <= 0:
        raise ValueError("duration and requests_per_second must be greater than 0")


def truth_of(happenings: Sequence[Happening]) -> list[Truth]:
    """Return a row for each scenario that did anything."""
    return [each.truth for each in happenings if each.truth is not None]


def settings_of(scenarios: Sequence[Scenario], start: datetime, duration: timedelta) -> str:
    """Return the settings that a run needs: exceptions that end a day after it.

    Where scenarios need days before them, also what is declared.
    """
    once = {scenario.name: scenario for scenario in scenarios}
    until = start.astimezone(UTC) + duration + timedelta(days=1)
    excepted = settings(tuple(once.values()), until)
    declared = settings_after_days() if needs_days(scenarios) else ""
    return "\n".join(part for part in (declared, excepted) if part)


def needs_days(scenarios: Sequence[Scenario]) -> bool:
    """Whether any of them needs days before it: then the log tells countries and schemes."""
    return any(scenario.needs_history for scenario in scenarios)


def _fits(scenario: Scenario, first: int, last: int) -> bool:
    return scenario.lasts_us <= last - first
