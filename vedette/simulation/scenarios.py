"""Scenario files: attacks and near-misses with fixed strengths, one TOML file each."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

from vedette.simulation.truth import Verdict

Pattern = Literal["burst", "steady", "office"]

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
class Scenario:
    """What one client does, as a scenario file says it.

    A burst makes `requests` within `window_seconds`, once a run; a steady client makes
    `per_minute`, evenly, all through the run; an office has `users` who arrive at `arrive_at`
    (UTC) over `window_seconds`. `calls` are gone through in random order and none twice if
    `each_once`, else in turn. `raw` are request lines that no server can read. `client` fixes the
    address; without it each run draws one.
    """

    name: str
    kind: Verdict
    summary: str
    pattern: Pattern
    detectors: tuple[str, ...]
    user_agents: tuple[str, ...]
    calls: tuple[ScriptedCall, ...] = ()
    raw: tuple[str, ...] = ()
    each_once: bool = False
    requests: int = 0
    window_seconds: int = 0
    per_minute: float = 0.0
    missing: tuple[str, ...] = ()
    missing_per_hour: int = 0
    users: int = 0
    arrive_at: time | None = None
    client: str | None = None
    exemptions: tuple[Exemption, ...] = ()


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


def choose_scenarios(names: Sequence[str] | None) -> tuple[Scenario, ...]:
    """Return the scenarios of these names, all of them for None.

    Raises ValueError for a name that no file has.
    """
    known = {scenario.name: scenario for scenario in all_scenarios()}
    if names is None:
        return tuple(known.values())
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise ValueError(
            f"no scenario is called {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return tuple(known[name] for name in sorted(set(names)))


def settings(scenarios: Sequence[Scenario], until: datetime) -> str:
    """Return the settings (TOML) that the scenarios need: exceptions that end at `until`."""
    parts = [
        f"[[detectors.{exemption.detector}.exceptions]]\n"
        f'client = "{scenario.client}"\n'
        f'until = "{until:%Y-%m-%dT%H:%M:%SZ}"\n'
        f'why = "{exemption.why}"\n'
        for scenario in scenarios
        for exemption in scenario.exemptions
    ]
    return "\n".join(parts)


def _read(name: str, table: dict[str, Any]) -> Scenario:
    calls = tuple(_call(line) for line in table.pop("calls", []))
    exemptions = tuple(Exemption(**each) for each in table.pop("exceptions", []))
    lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    return Scenario(**{"name": name, **table, **lists, "calls": calls, "exemptions": exemptions})


def _call(line: str) -> ScriptedCall:
    method, target, status = line.split()
    path, mark, query = target.partition("?")
    return ScriptedCall(method, path, query if mark else None, int(status))
