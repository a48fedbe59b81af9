"""The services of docker-compose.yml as commands and environments, to start without Docker."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "docker-compose.yml"

_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+):\?[^}]*\}")


def services() -> dict[str, dict[str, Any]]:
    """Return what each service says, shared parts merged in."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = loaded["services"]
    return found


def settings_file(service: str) -> Path:
    """Return the file that the service's settings are mounted from."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    source = loaded["services"][service]["configs"][0]["source"]
    return ROOT / str(loaded["configs"][source]["file"])


def command_of(service: str, *, config: Path | None = None) -> list[str]:
    """Return the arguments of `vedette` in a service; `config` replaces the mounted settings."""
    told = services()[service]
    mounted = {entry["target"] for entry in told.get("configs", [])}
    replaced = {target: str(config) for target in mounted if config is not None}
    return [replaced.get(str(word), str(word)) for word in told["command"]]


def environment_of(service: str, outside: Mapping[str, str], **changed: str) -> dict[str, str]:
    """Return a service's environment, variables filled in from `outside`.

    `changed` replaces values, such as addresses that only Docker knows. Raises KeyError for a
    variable that `outside` lacks.
    """
    told: dict[str, str] = services()[service].get("environment", {})
    filled = {
        name: _VARIABLE.sub(lambda found: outside[found[1]], str(value))
        for name, value in told.items()
    }
    return {**filled, **changed}
