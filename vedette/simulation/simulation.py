"""A run: ordinary traffic with the scenarios mixed in, and the truth about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from ingest.times import microseconds, moment
from vedette.simulation.draws import stream
from vedette.simulation.office import arrival, office_events
from vedette.simulation.population import HOSTING, IPV6_HOSTING, draw_addresses
from vedette.simulation.scenarios import Scenario, all_scenarios, choose_scenarios, settings
from vedette.simulation.scripted import Actor, burst_events, steady_events
from vedette.simulation.traffic import ordinary_events
from vedette.simulation.truth import Truth


@dataclass(frozen=True, slots=True)
class Simulation:
    """What one run is made of.

    `events` has the columns of `events.SIMULATED_SCHEMA`, sorted by completion. `settings_toml`
    is what the user's settings must say for the near-misses to stay silent.
    """

    seed: int
    start: datetime
    duration: timedelta
    events: pl.DataFrame = field(repr=False)
    truth: list[Truth]
    settings_toml: str


def simulate(
    seed: int,
    start: datetime,
    duration: timedelta,
    *,
    requests_per_second: float = 25.0,
    scenarios: Sequence[str] | None = None,
    placement: Mapping[str, timedelta] | None = None,
) -> Simulation:
    """Return a run of `duration` from `start`; the same arguments give the same run.

    Ordinary traffic has `requests_per_second` on average over the run, more at busy hours of the
    week; the scenarios (names of files in scenarios/, None for all) come on top. Bursts and the
    office begin at their offset in `placement`, else at a time that the seed decides.

    Raises ValueError if `start` has no time zone, if the duration or the rate is not positive, if
    a scenario is unknown, or if an attack does not fit into the run.
    """
    if start.tzinfo is None:
        raise ValueError("start needs a time zone, for example 2026-11-02T08:30:00+00:00")
    if duration <= timedelta(0) or requests_per_second <= 0:
        raise ValueError("duration and requests_per_second must be greater than 0")
    chosen = choose_scenarios(scenarios)
    first = microseconds(start)
    last = microseconds(start + duration)
    clients = _clients(seed)
    placed = dict(placement or {})
    choose_scenarios(list(placed))
    parts = [ordinary_events(seed, first, last, requests_per_second)]
    truth: list[Truth] = []
    for scenario in chosen:
        offset = placed.get(scenario.name)
        actor = clients[scenario.name]
        frame = _scenario_events(seed, scenario, actor, (first, last), offset)
        if frame.height:
            parts.append(frame)
            truth.append(_truth(scenario, actor, frame))
    return Simulation(
        seed=seed,
        start=start,
        duration=duration,
        events=pl.concat(parts).sort("timestamp", maintain_order=True),
        truth=truth,
        settings_toml=settings(chosen, start.astimezone(UTC) + duration + timedelta(days=1)),
    )


def _clients(seed: int) -> dict[str, Actor]:
    """Return who acts in each scenario: the same whichever of them a run has."""
    rng = stream(seed, "actors")
    every = all_scenarios()
    addresses = draw_addresses(rng, len(every), HOSTING, IPV6_HOSTING)
    actors: dict[str, Actor] = {}
    for scenario, address in zip(every, addresses, strict=True):
        agents = scenario.user_agents or ("-",)
        agent = agents[int(rng.random() * len(agents))]
        actors[scenario.name] = Actor(scenario.client or address, None if agent == "-" else agent)
    return actors


def _scenario_events(
    seed: int,
    scenario: Scenario,
    actor: Actor,
    run: tuple[int, int],
    offset: timedelta | None,
) -> pl.DataFrame:
    first, last = run
    rng = stream(seed, scenario.name)
    if scenario.pattern == "steady":
        return steady_events(rng, scenario, actor, first, last)
    placed = None if offset is None else first + offset // timedelta(microseconds=1)
    if scenario.pattern == "office":
        begin = arrival(rng, scenario, first, last) if placed is None else placed
        frame = office_events(rng, scenario, actor.address, begin)
        end = pl.lit(last).cast(frame.schema["timestamp"])
        return frame.filter(pl.col("timestamp") < end)
    begin = _somewhere(rng, scenario, first, last) if placed is None else placed
    if begin < first or begin + scenario.window_seconds * 1_000_000 > last:
        raise ValueError(
            f"scenario {scenario.name} lasts {scenario.window_seconds} s and does not fit into the "
            "run: lengthen the duration or leave the scenario out"
        )
    return burst_events(rng, scenario, actor, begin)


def _somewhere(rng: np.random.Generator, scenario: Scenario, first: int, last: int) -> int:
    room = last - first - scenario.window_seconds * 1_000_000
    return first + int(rng.random() * room)


def _truth(scenario: Scenario, actor: Actor, frame: pl.DataFrame) -> Truth:
    times = frame["timestamp"].to_physical().sort()
    return Truth(
        scenario=scenario.name,
        kind=scenario.kind,
        entity_type="client",
        entity=actor.address,
        detectors=scenario.detectors,
        started_at=moment(int(times[0])),
        ended_at=moment(int(times[-1])),
        requests=frame.height,
    )
