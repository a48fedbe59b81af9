"""Scenarios that need days before them: when they happen, to whom, and what is true of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import polars as pl

from vedette.simulation.actors import Actor
from vedette.simulation.declarations import route_names
from vedette.simulation.draws import stream
from vedette.simulation.happenings import Happening, begin_of, happen
from vedette.simulation.regulars import draw_regular, draw_visitor, regular_events
from vedette.simulation.scenarios import FAULTS, Scenario
from vedette.simulation.truth import Intensity, Truth

Span = tuple[int, int]

#: The strength that a near-miss has.
_ONLY: Final = "medium"


def in_turn(
    scenarios: Sequence[Scenario], intensities: Sequence[Intensity], day: int
) -> Iterator[Scenario]:
    """Yield the scenarios of a day, each every other day, at another strength each time.

    What is daily comes with the first day.
    """
    for place, scenario in enumerate(scenarios):
        strengths = intensities if scenario.kind == "attack" else (_ONLY,)
        comes = day == 0 if scenario.pattern == "daily" else (place + day) % 2 == 0
        if comes and strengths:
            yield scenario.at(strengths[(place + day) // 2 % len(strengths)])


def happen_after(
    seed: int, scenario: Scenario, day: Span, whole: Span, *, number: int = 0, begin: int | None
) -> Happening:
    """Return what a scenario does on a day of the run, and its regular on all days.

    `number` is that of the day, `whole` the run with its history, in microseconds. What is daily
    comes on all days. Without `begin` the seed decides when.
    """
    regular = draw_regular(seed, number, scenario)
    actor = draw_visitor(seed, number, scenario, regular)
    rng = stream(seed, f"{scenario.stream} {number}")
    span = whole if scenario.pattern == "daily" else day
    begins = begin_of(rng, scenario, *span) if begin is None else begin
    found = happen(rng, scenario, actor, begins, span)
    if regular is not None:
        visits = stream(seed, f"visits {number} {scenario.stream}")
        usual = regular_events(visits, scenario, regular, begins, whole)
        found = replace(found, usual=usual)
    if found.truth is None or scenario.kind == "near_miss":
        return found
    truth = _until_back(_fully(found.truth, scenario, actor), found.usual)
    return replace(found, truth=truth)


def _until_back(truth: Truth, usual: pl.DataFrame) -> Truth:
    """Return the truth to the next request of the regular: what that shows is the attack, too."""
    later = usual.filter(pl.col("timestamp") > truth.ended_at)["timestamp"].min()
    return replace(truth, ended_at=later) if isinstance(later, datetime) else truth


def _fully(truth: Truth, scenario: Scenario, actor: Actor) -> Truth:
    """Return the truth with whatever else may rightly be reported: the client, the service."""
    also = set(scenario.also) if scenario.pattern in FAULTS else set(truth.also)
    if not actor.members and scenario.pattern == "burst":
        also.add(("client", actor.address))
    if scenario.service is not None:
        also.add(("service", scenario.service))
        also |= {("route", name) for name in route_names(scenario.service)}
    return replace(truth, also=tuple(sorted(also - {(truth.entity_type, truth.entity)})))
