"""Regulars, who come on every day of a run, and who acts in scenarios about them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.actors import COUNTRIES, Actor
from vedette.simulation.draws import IntArray, stream
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.homelands import FAR_NETWORKS, HOME_NETWORKS
from vedette.simulation.population import (
    HOSTING,
    IPV6_HOSTING,
    IPV6_STRANGERS,
    STRANGERS,
    draw_addresses,
)
from vedette.simulation.scenarios import Regular, Scenario
from vedette.simulation.scripted import scripted_events

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_MINUTE_US: Final = 60_000_000

#: Addresses of a network that a scenario may draw, and the median pause between requests in s.
_HOSTS: Final = 254 * 254
_PAUSE: Final = 12.0
#: The median of the bytes of what they get.
_ANSWER: Final = 1_500


def draw_regular(seed: int, day: int, scenario: Scenario) -> Actor | None:
    """Return the regular of a scenario on a day of a run: addresses of home, devices, name."""
    usual = scenario.regular
    if usual is None:
        return None
    rng = stream(seed, f"regular {day} {scenario.stream}")
    countries = tuple(country for country in usual.countries for _ in range(usual.networks))
    return Actor(
        addresses=_at_home(rng, usual.countries, usual.networks),
        user_agents=usual.user_agents,
        users=tuple(f"r{rng.integers(1_000_000, 9_999_999)}" for _ in range(scenario.users)),
        api_keys=tuple(f"ak_{rng.bytes(12).hex()}" for _ in range(scenario.api_keys)),
        countries=countries,
    )


def draw_visitor(seed: int, day: int, scenario: Scenario, regular: Actor | None) -> Actor:
    """Return who makes the scenario's requests: in the name of the regular, if there is one."""
    rng = stream(seed, f"visitor {day} {scenario.stream}")
    clients = scenario.clients
    abroad = tuple(scenario.countries[place % len(scenario.countries)] for place in range(clients)
                   if scenario.countries)  # fmt: skip
    agents = scenario.user_agents or ("-",)
    picked = (rng.random(clients) * len(agents)).astype(np.int64).tolist()
    actor = Actor(
        addresses=_addresses(rng, scenario, abroad),
        user_agents=tuple(None if agents[each] == "-" else agents[each] for each in picked),
        users=tuple(f"h{number}" for number in rng.permutation(900_000)[: scenario.users].tolist()),
        api_keys=tuple(f"ak_{rng.bytes(12).hex()}" for _ in range(scenario.api_keys)),
        countries=abroad,
    )
    return actor if regular is None else _in_the_name(scenario, actor, regular)


def regular_events(
    rng: np.random.Generator, scenario: Scenario, regular: Actor, begin: int, whole: tuple[int, int]
) -> pl.DataFrame:
    """Return what a regular does on all days of [first, last), `whole`, beside the scenario.

    The scenario begins at `begin`; all times are microseconds.
    """
    usual = scenario.regular
    if usual is None:
        return SIMULATED_SCHEMA.to_frame()
    visits = _visits(rng, scenario, usual, begin, whole)
    place = rng.integers(0, len(regular.addresses), len(visits))
    device = rng.integers(0, len(regular.user_agents), len(visits))
    plain = replace(scenario, response_bytes=_ANSWER, request_bytes=0, duration_ms=30, scheme=None)
    frames = [SIMULATED_SCHEMA.to_frame()]
    for at, agent in sorted(set(zip(place.tolist(), device.tolist(), strict=True))):
        times = _times(rng, usual, visits[(place == at) & (device == agent)], whole)
        calls = [usual.calls[each % len(usual.calls)] for each in range(len(times))]
        here = replace(
            regular,
            addresses=(regular.addresses[at],),
            user_agents=(regular.user_agents[agent],),
            countries=(regular.countries[at],),
        )
        frames.append(scripted_events(rng, calls, here, times, plain))
    return pl.concat(frames)


def _visits(
    rng: np.random.Generator, scenario: Scenario, usual: Regular, begin: int, whole: tuple[int, int]
) -> IntArray:
    """Return when visits begin: some each day, none around the scenario, one just before it."""
    first, last = whole
    days = np.arange(first // _DAY_US, -(-last // _DAY_US)) * _DAY_US
    opens, closes = (hour * _HOUR_US for hour in usual.hours)
    drawn = opens + rng.random((len(days), usual.visits)) * (closes - opens)
    visits = (days[:, None] + drawn).astype(np.int64).ravel()
    lasts = int(2 * usual.requests * _PAUSE * 1e6)
    before = begin - usual.last_minutes * _MINUTE_US - lasts
    after = begin + scenario.window_seconds * 1_000_000 + usual.back_minutes * _MINUTE_US
    apart = visits[(visits < before) | (visits > after)] if usual.last_minutes else visits
    just_before = [before] if usual.last_minutes else []
    found = np.sort(np.concatenate([apart, np.array(just_before, dtype=np.int64)]))
    return found[(found >= first) & (found < last)]


def _times(
    rng: np.random.Generator, usual: Regular, visits: IntArray, whole: tuple[int, int]
) -> IntArray:
    pauses = np.exp(0.6 * rng.standard_normal((len(visits), usual.requests))).clip(0.1, 2.0)
    times = (visits[:, None] + np.cumsum(pauses * _PAUSE * 1e6, axis=1)).astype(np.int64).ravel()
    return np.sort(times[times < whole[1]])


def _in_the_name(scenario: Scenario, actor: Actor, regular: Actor) -> Actor:
    named = replace(actor, users=regular.users, api_keys=regular.api_keys)
    if "user_agent" in scenario.same:
        named = replace(named, user_agents=(regular.user_agents[0],) * scenario.clients)
    if "address" in scenario.same:
        named = replace(named, addresses=regular.addresses[:1], countries=regular.countries[:1])
    return named


def _addresses(
    rng: np.random.Generator, scenario: Scenario, countries: Sequence[str]
) -> tuple[str, ...]:
    if scenario.client is not None:
        return (scenario.client,)
    if countries:
        return _in_countries(rng, {**COUNTRIES, **FAR_NETWORKS}, countries)
    hosting = scenario.home == "hosting"
    drawn = draw_addresses(
        rng,
        scenario.clients,
        HOSTING if hosting else STRANGERS,
        IPV6_HOSTING if hosting else IPV6_STRANGERS,
    )
    return tuple(drawn.to_list())


def _in_countries(
    rng: np.random.Generator, networks: dict[str, str], countries: Sequence[str]
) -> tuple[str, ...]:
    """Return an address in each of the countries, no two of them the same."""
    hosts = rng.choice(_HOSTS, len(countries), replace=False).tolist()
    return tuple(
        f"{networks[country]}.{host // 254}.{host % 254 + 1}"
        for country, host in zip(countries, hosts, strict=True)
    )


def _at_home(rng: np.random.Generator, countries: Sequence[str], networks: int) -> tuple[str, ...]:
    """Return addresses in so many neighbouring networks of each country."""
    found = []
    for country in countries:
        first, second = HOME_NETWORKS[country].split(".")
        for place in range(networks):
            third, fourth = rng.integers(0, 254), rng.integers(1, 255)
            found.append(f"{first}.{int(second) + place}.{third}.{fourth}")
    return tuple(found)
