"""Who acts in the scenarios: addresses, user agents, users and keys, drawn once a day of a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.findings import EntityType
from ingest.networks import network_of
from vedette.simulation.draws import stream
from vedette.simulation.population import (
    HOSTING,
    IPV6_HOSTING,
    IPV6_STRANGERS,
    STRANGERS,
    draw_addresses,
)
from vedette.simulation.scenarios import Scenario, all_scenarios, at_intensities
from vedette.simulation.truth import INTENSITIES

#: The first two octets of networks in which scenarios have neighbours: nobody else lives there.
NEIGHBOURHOODS: Final = ("45.95", "77.83", "91.92", "185.234")

#: Networks (first two octets) of countries; the registries and the simulator agree on them.
COUNTRIES: Final = {
    "AU": "1.128", "BR": "177.32", "DE": "87.160", "ES": "80.24", "FR": "90.40", "GB": "86.160",
    "IN": "49.36", "IT": "79.16", "JP": "126.40", "NL": "77.160", "PL": "83.8", "US": "73.96",
    "ZA": "105.224",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes the requests of one scenario: clients by index, with what they present.

    `user_agents` and `countries` are one a client, if there are any; users and keys go in turn.
    """

    addresses: tuple[str, ...]
    user_agents: tuple[str | None, ...]
    users: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The only client, or the first one."""
        return self.addresses[0]

    @property
    def members(self) -> tuple[str, ...]:
        """The clients, if they are many."""
        return self.addresses if len(self.addresses) > 1 else ()


@lru_cache(maxsize=8)
def draw_actors(seed: int, day: int = 0) -> Mapping[str, Actor]:
    """Return who acts in each scenario (by `Scenario.stream`), whichever of them a run has.

    Those that need days before them are drawn apart (`regulars`).

    No two scenarios of a day have a client in common.
    """
    rng = stream(seed, "actors" if day == 0 else f"actors {day}")
    without = [each for each in all_scenarios() if not each.needs_history]
    every = at_intensities(without, INTENSITIES)
    drawn = {
        "hosting": draw_addresses(rng, _wanted(every, "hosting"), HOSTING, IPV6_HOSTING).to_list(),
        "residential": draw_addresses(
            rng, _wanted(every, "residential"), STRANGERS, IPV6_STRANGERS
        ).to_list(),
    }
    near = iter(rng.permutation(len(NEIGHBOURHOODS) << 8).tolist())
    actors: dict[str, Actor] = {}
    for scenario in every:
        own = stream(seed, f"actor {day} {scenario.stream}")
        if scenario.networks:
            addresses = _neighbours(own, scenario, [next(near) for _ in range(scenario.networks)])
        elif scenario.countries:
            addresses = [_abroad(own, scenario, place) for place in range(scenario.clients)]
        else:
            pool = drawn[scenario.home]
            addresses = [pool.pop() for _ in range(scenario.clients)]
        if scenario.client is not None:
            addresses = [scenario.client]
        actors[scenario.stream] = _actor(own, scenario, addresses)
    return actors


def entity_of(scenario: Scenario, actor: Actor) -> str:
    """Return what is to be found, as the event table writes it."""
    found = {
        "client": actor.address,
        "network": network_of(actor.address),
        "user": next(iter(actor.users), None),
        "api_key": next(iter(actor.api_keys), None),
        "all": "all",
    }.get(scenario.entity, scenario.entity_name)
    if found is None:
        raise ValueError(f"scenario {scenario.name} does not say which {scenario.entity} it is")
    return found


def also_of(scenario: Scenario, actor: Actor) -> tuple[tuple[EntityType, str], ...]:
    """Return what may be reported beside the entity: users, keys and networks of the actors.

    More users than clients are the victims; they did nothing.
    """
    found: set[tuple[EntityType, str]] = set(scenario.also)
    if len(actor.users) <= len(actor.addresses):
        found |= {("user", user) for user in actor.users}
    found |= {("api_key", key) for key in actor.api_keys}
    if scenario.networks or not actor.members:
        found |= {("network", network_of(address)) for address in actor.addresses}
    return tuple(sorted(found - {(scenario.entity, entity_of(scenario, actor))}))


def _wanted(scenarios: Iterable[Scenario], home: str) -> int:
    drawn = [each for each in scenarios if not each.networks and not each.countries]
    return sum(each.clients for each in drawn if each.home == home)


def _neighbours(rng: np.random.Generator, scenario: Scenario, networks: list[int]) -> list[str]:
    hosts = rng.permutation(np.arange(2, 250))
    before = [f"{NEIGHBOURHOODS[each >> 8]}.{each & 255}" for each in networks]
    return [
        f"{before[place % len(before)]}.{hosts[place // len(before)]}"
        for place in range(scenario.clients)
    ]


def _abroad(rng: np.random.Generator, scenario: Scenario, place: int) -> str:
    country = scenario.countries[place % len(scenario.countries)]
    return f"{COUNTRIES[country]}.{rng.integers(0, 256)}.{rng.integers(1, 255)}"


def _actor(rng: np.random.Generator, scenario: Scenario, addresses: list[str]) -> Actor:
    agents = scenario.user_agents or ("-",)
    picked = (rng.random(len(addresses)) * len(agents)).astype(np.int64).tolist()
    named = rng.choice(900_000, scenario.users, replace=False) + 2_000_000
    keys = [rng.bytes(12).hex() for _ in range(scenario.api_keys)]
    abroad = scenario.countries
    return Actor(
        addresses=tuple(addresses),
        user_agents=tuple(None if agents[each] == "-" else agents[each] for each in picked),
        users=tuple(f"u{number}" for number in named.tolist()),
        api_keys=tuple(f"ak_{key}" for key in keys),
        countries=tuple(abroad[place % len(abroad)] for place in range(len(addresses)))
        if abroad
        else (),
    )
