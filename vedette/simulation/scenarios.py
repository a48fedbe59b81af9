"""Scenario files: attacks and near-misses with fixed strengths, one TOML file each."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

from detectors.findings import EntityType
from vedette.simulation.truth import INTENSITIES, Intensity, Verdict

Pattern = Literal["burst", "steady", "daily", "office", "outage", "proxy", "change"]

#: Patterns that befall ordinary requests.
FAULTS: Final = frozenset({"outage", "proxy", "change"})
Home = Literal["hosting", "residential"]

_FOLDER: Final = "scenarios"


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One line of `calls` in a scenario file: method, path with an optional query, status."""

    method: str
    path: str
    query: str | None
    status: int


@dataclass(frozen=True, slots=True)
class Exemption:
    """A detector that the user's settings tell to leave the scenario's client alone."""

    detector: str
    why: str


@dataclass(frozen=True, slots=True)
class Regular:
    """Whoever the scenario is about, on every day of the run: the same user or key.

    There are `visits` a day, at any time between `hours` (UTC), of `requests` each, which go
    through `calls` in turn. A visit comes from one of the `networks` addresses in each of the
    `countries`, with one of the `user_agents`. With `last_minutes` the last visit is so long before
    the scenario, and the next one comes `back_minutes` after it at the earliest.
    """

    calls: tuple[ScriptedCall, ...]
    user_agents: tuple[str, ...]
    countries: tuple[str, ...] = ("DE",)
    networks: int = 1
    visits: int = 4
    requests: int = 8
    hours: tuple[int, int] = (7, 22)
    last_minutes: int = 0
    back_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one client or a group of them does, as a scenario file says it.

    - A burst makes `requests` within `window_seconds`, once a run; `clients` take turns, `tries`
      says how many requests each makes instead. `calls` are gone through in turn, in random order
      if `shuffled`, and none twice if `each_once`. Every `succeed_every`-th is answered 200;
      `then` follow in the last tenth of the window. `raw` are lines that no server can read.
    - A steady client makes `per_minute`, evenly, all through the run.
    - An office has `users` who arrive at `arrive_at` (UTC) over `window_seconds`; `tells_user`
      says that the log has the user on refused log-ins too.
    - An outage lets `share` of the ordinary requests to `service` fail with `calls`' statuses.
    - A proxy stands before `share` of the ordinary clients, and the log has its address.
    - What is daily is a burst on every day of the run and of its history, from `arrive_at` on.
    - A change befalls `share` of the ordinary requests to `service`: they get the statuses of
      `calls` if there are any, take `slower` times as long, are `bigger` times as big, come with
      `scheme`, or do not come at all if `lost`.

    `client` fixes the address; without it each run draws one from `home`, or in `networks` /24
    networks, or in `countries`. `users` and `api_keys` are how many of them the requests carry,
    `people` how many ordinary browsers there are behind the address.
    `entity` is the type of what is to be found, `entity_name` its value for a route or a service.
    `detectors` may rightly fire on an attack, the first one must; a near-miss comes `near` others.
    `in_every_run` is false for what changes ordinary traffic: it comes only when it is named, and
    in long runs. `needs_model` says that only a trained client model can tell it: it comes only
    when it is named. `irregular` lets a burst pause as people do, now short, now long; a `gradual`
    one swells and ebbs. `needs_history` says that detectors must have seen ordinary days before: it
    comes only when it is named, and in runs with a history. `regular` is who it is about, `same`
    what they have in common with whoever makes the requests: address, user agent.
    """

    name: str
    kind: Verdict
    summary: str
    pattern: Pattern
    user_agents: tuple[str, ...]
    detectors: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    calls: tuple[ScriptedCall, ...] = ()
    then: tuple[ScriptedCall, ...] = ()
    raw: tuple[str, ...] = ()
    each_once: bool = False
    shuffled: bool = False
    requests: int = 0
    tries: int = 0
    window_seconds: int = 0
    succeed_every: int = 0
    per_minute: float = 0.0
    missing: tuple[str, ...] = ()
    missing_per_hour: int = 0
    clients: int = 1
    networks: int = 0
    countries: tuple[str, ...] = ()
    home: Home = "hosting"
    client: str | None = None
    users: int = 0
    people: int = 0
    tells_user: bool = False
    api_keys: int = 0
    arrive_at: time | None = None
    service: str | None = None
    share: float = 0.0
    response_bytes: int = 4_000
    request_bytes: int = 0
    duration_ms: int = 30
    entity: EntityType = "client"
    entity_name: str | None = None
    also: tuple[tuple[EntityType, str], ...] = ()
    needs: tuple[str, ...] = ()
    in_every_run: bool = True
    needs_model: bool = False
    needs_history: bool = False
    gradual: bool = False
    slower: float = 1.0
    bigger: float = 1.0
    lost: bool = False
    scheme: str | None = None
    regular: Regular | None = None
    same: tuple[Literal["address", "user_agent"], ...] = ()
    irregular: bool = False
    exemptions: tuple[Exemption, ...] = ()
    strengths: Mapping[Intensity, Mapping[str, Any]] = field(default_factory=dict)
    intensity: Intensity | None = None

    @property
    def total(self) -> int:
        """How many requests a burst makes."""
        return self.clients * self.tries or self.requests

    @property
    def lasts_us(self) -> int:
        """How long it lasts in microseconds; 0 for what fits into any run."""
        bounded = self.pattern not in {"steady", "office", "daily"}
        return self.window_seconds * 1_000_000 if bounded else 0

    @property
    def stream(self) -> str:
        """The name of its random numbers."""
        return self.name if self.intensity in {None, "medium"} else f"{self.name} {self.intensity}"

    def at(self, intensity: Intensity) -> "Scenario":
        """Return the attack at this strength; a near-miss has only one."""
        if self.kind == "near_miss":
            return self
        return replace(self, intensity=intensity, **self.strengths.get(intensity, {}))


@lru_cache(maxsize=1)
def all_scenarios() -> tuple[Scenario, ...]:
    """Return every scenario of the folder, by name."""
    folder = files("vedette.simulation").joinpath(_FOLDER)
    found = [
        _read(entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8")))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda scenario: scenario.name))


def choose_scenarios(names: Sequence[str] | None, *, history: bool = False) -> tuple[Scenario, ...]:
    """Return the scenarios of these names; for None all that need no trained model.

    Those that need days before them are among all only with `history`.

    Raises ValueError for a name that no file has.
    """
    known = {scenario.name: scenario for scenario in all_scenarios()}
    if names is None:
        return tuple(
            scenario
            for scenario in known.values()
            if not scenario.needs_model and (history or not scenario.needs_history)
        )
    unknown = sorted(set(names) - known.keys())
    if unknown:
        near = get_close_matches(unknown[0], known, 1, 0.7)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"no scenario is called {unknown[0]}; {hint}")
    return tuple(known[name] for name in sorted(set(names)))


def at_intensities(
    scenarios: Sequence[Scenario], intensities: Sequence[Intensity]
) -> tuple[Scenario, ...]:
    """Return each attack at each of these strengths, and each near-miss once.

    Raises ValueError for another word than those of INTENSITIES.
    """
    unknown = sorted(set(intensities) - set(INTENSITIES))
    if unknown:
        raise ValueError(f"no intensity is called {unknown[0]}; there are {', '.join(INTENSITIES)}")
    return tuple(
        scenario.at(intensity)
        for scenario in scenarios
        for intensity in (INTENSITIES if scenario.kind == "attack" else ("medium",))
        if scenario.kind == "near_miss" or intensity in intensities
    )


def settings(scenarios: Sequence[Scenario], until: datetime) -> str:
    """Return the settings (TOML) that the scenarios need: exceptions that end at `until`.

    Settings refuse detectors that do not exist; of such there is none.
    """
    rules = files("detectors").joinpath("rules")
    parts = [
        f"[[detectors.{exemption.detector}.exceptions]]\n"
        f'client = "{scenario.client}"\n'
        f'until = "{until:%Y-%m-%dT%H:%M:%SZ}"\n'
        f'why = "{exemption.why}"\n'
        for scenario in scenarios
        for exemption in scenario.exemptions
        if rules.joinpath(f"{exemption.detector}.yml").is_file()
    ]
    return "\n".join(parts)


def _read(name: str, table: dict[str, Any]) -> Scenario:
    exemptions = tuple(Exemption(**each) for each in table.pop("exceptions", []))
    usual = table.pop("regular", None)
    strengths = {level: _values(each) for level, each in table.pop("intensity", {}).items()}
    return Scenario(
        **{"name": name, **_values(table)},
        exemptions=exemptions,
        strengths=strengths,
        regular=Regular(**_values(usual)) if usual else None,
    )


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a table as those of a Scenario."""
    readers = {"calls": _call, "then": _call, "also": _entity}
    return {
        key: tuple(readers[key](each) if key in readers else each for each in value)
        if isinstance(value, list)
        else value
        for key, value in table.items()
    }


def _call(line: str) -> ScriptedCall:
    method, target, status = line.split()
    path, mark, query = target.partition("?")
    return ScriptedCall(method, path, query if mark else None, int(status))


def _entity(line: str) -> tuple[str, str]:
    kind, _, value = line.partition(" ")
    return kind, value or kind
