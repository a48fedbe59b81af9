"""Settings from the environment: VEDETTE_API__PORT=9000, VEDETTE_SOURCES__0__PASSWORD=..."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_origin

from pydantic_settings import BaseSettings, EnvSettingsSource

from ingest.sources import SOURCE_KINDS

#: Keys of a source that are lists or tables, and so are written as JSON.
_COMPLEX: Final = frozenset(
    name
    for kind in SOURCE_KINDS.values()
    for name, field in kind.model_fields.items()
    if get_origin(field.annotation) in {tuple, dict}
)


class VariableError(ValueError):
    """A variable that cannot be used; the message names it and says what to do."""


class Environment(EnvSettingsSource):
    """All settings that variables name, and single keys of sources by the source's number.

    `written` is what the file says: a variable for one key of a source changes that source.
    """

    def __init__(self, settings: type[BaseSettings], written: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._written = written

    def __call__(self) -> dict[str, Any]:
        """Return what the environment says; raises VariableError."""
        found = super().__call__()
        field = self.settings_cls.model_fields["sources"]
        single = self.explode_env_vars("sources", field, self.env_vars)
        if single:
            whole = found.get("sources")
            sources = whole if isinstance(whole, list) else self._written.get("sources", [])
            found["sources"] = _changed(sources, single)
        return found


def _changed(sources: Sequence[Any], single: Mapping[str, Any]) -> list[Any]:
    """Return the sources with the keys that variables set."""
    changed = list(sources)
    for number, keys in single.items():
        name = f"VEDETTE_SOURCES__{number.upper()}"
        if not number.isdecimal() or int(number) >= len(changed):
            count = f"there are {len(changed)}" if changed else "there is none"
            raise VariableError(
                f"{name}: no such source: they are counted from 0, and {count} in the file"
            )
        source = changed[int(number)]
        if not isinstance(keys, dict) or not isinstance(source, Mapping):
            raise VariableError(f"{name}: add the key of the source, as in {name}__PASSWORD")
        changed[int(number)] = {
            **source,
            **{key: _value(f"{name}__{key.upper()}", key, text) for key, text in keys.items()},
        }
    return changed


def _value(name: str, key: str, text: Any) -> Any:  # noqa: ANN401 - what settings may hold
    if key not in _COMPLEX or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise VariableError(f"{name}: lists and tables are written as JSON") from error
