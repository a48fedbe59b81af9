"""Every setting, from the models that check them.

Type, default and variable are those of the models; the meaning is the one that docs/settings.md
has in its row, which is written by hand.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alerts.routing.matchers import Matchers
from docs.website.navigation import DOCS
from docs.website.reference.tables import code, table
from ingest.durations import format_duration
from vedette.settings import Settings

_NAME: Final = "NAME"

#: Types whose name says less than these words.
_WORDS: Final[dict[Any, str]] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    timedelta: "duration",
    datetime: "date and time",
    Path: "path",
    SecretStr: "text, secret",
    Matchers: "matchers",
}

_SIGNS: Final[dict[type, tuple[str, str]]] = {
    Ge: ("ge", "from"),
    Gt: ("gt", "above"),
    Le: ("le", "up to"),
    Lt: ("lt", "below"),
}

_TOP: Final = """# Every setting

In the order of the settings file, as the program that reads it knows them: {count} of them. What
they do together, with examples, is in [settings](../settings.md). Variables of the environment go
before the file; of lists of tables, such as sources, 0 is the first.
"""


def settings_page() -> str:
    """Return the page."""
    meanings = _meanings()
    found = list(settings(Settings))
    sections: dict[str, list[list[str]]] = {}
    for path, field in found:
        row = [code(path), _type(field), _default(field), meanings[path], code(variable(path))]
        sections.setdefault(path.partition(".")[0], []).append(row)
    heads = ("key", "type", "default", "meaning", "variable")
    parts = (f"\n## {name}\n\n{table(heads, rows)}" for name, rows in sections.items())
    return _TOP.format(count=len(found)) + "".join(parts)


def settings(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield each setting's path with its field; a table by any name has NAME in its place."""
    seen: set[str] = set()
    for attribute, field in model.model_fields.items():
        path = f"{place}{field.alias or attribute}"
        models, by_name = _models_of(field.annotation)
        if not models:
            yield path, field
        for inner in models:
            for below, found in settings(inner, f"{path}.{_NAME}." if by_name else f"{path}."):
                if below not in seen:
                    seen.add(below)
                    yield below, found


def variable(path: str) -> str:
    """Return the name of the environment's variable for a setting."""
    lists = {
        name
        for name, field in Settings.model_fields.items()
        if get_origin(field.annotation) is tuple
    }
    first, _, rest = path.partition(".")
    parts = [first, *(["0"] if first in lists else []), *rest.split(".")]
    return "VEDETTE_" + "__".join(part.upper() for part in parts)


def _models_of(annotation: Any) -> tuple[list[type[BaseModel]], bool]:
    if annotation is Matchers:
        return [], False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation], False
    inside = get_args(annotation)
    models = [model for argument in inside for model in _models_of(argument)[0]]
    return models, str in inside


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{word} {getattr(bound, name)}"
        for bound in field.metadata
        for kind, (name, word) in _SIGNS.items()
        if isinstance(bound, kind)
    ]
    return " ".join([_named(field.annotation), *bounds])


def _named(annotation: Any) -> str:
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(code(value) for value in inside)
    if origin is tuple:
        return f"list of {_named(inside[0])}"
    if origin is dict:
        return f"table of {_named(inside[1])}"
    if inside:  # a union, or something annotated
        told = [_named(each) for each in inside if isinstance(each, type) or get_args(each)]
        return " or ".join(dict.fromkeys(word for word in told if word))
    return _of_class(annotation)


def _of_class(kind: type) -> str:
    if kind is type(None):
        return ""
    if issubclass(kind, Enum):
        return ", ".join(code(each.value) for each in kind)
    return "network" if kind.__name__.startswith("IPv") else kind.__name__.lower()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    if value is None or value is PydanticUndefined:
        return "none" if value is None else "see its meaning"
    if isinstance(value, timedelta):
        return code(json.dumps(format_duration(value)))
    return code(json.dumps(list(value) if isinstance(value, tuple) else value, default=str))


def _meanings() -> dict[str, str]:
    """What docs/settings.md says of each setting, its links as they are one folder below."""
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| `([^`]+\.[^`]+)` \|.*\| (.+) \|$", text, re.MULTILINE)
    return {key: re.sub(r"\]\((?!\w+:)#?", _rebased, meaning) for key, meaning in cells}


def _rebased(found: re.Match[str]) -> str:
    return "](../settings.md#" if found[0].endswith("#") else "](../"
