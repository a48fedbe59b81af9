"""Formats that are declared in files: catalogue/NAME.toml, one for each format.

Keys: title; kind, which says what the others mean; then [[examples]]: line, the `directive` in
force if any, and the columns expected (false: null), or `parsed = false`. The examples are tests:
nothing else reads them, so they come last in the file. Kinds:

nginx, apache, envoy  `pattern`: that server's own format string, or a list of them; `names`:
                      variable -> field, or "" to drop it
regex                 `pattern`: an expression with groups named after fields; `needle`: text that
                      every line holds; `starts`, `ends`: the characters that lines begin and
                      end with; `times`: strftime formats of times that have their own
w3c                   `pattern`: the columns where no `#Fields:` line is in force; `only`: columns
                      of which one must be there; `separators`: what may part them
json                  `names`: field -> names in the object, the first that is there is taken;
                      `markers`: names that must be there; `absent`: names that must not;
                      `encoded`: fields that are percent-encoded

`family` is "clf" for formats whose lines the combined format could read, too, but less well.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ingest.formats.errors import FormatError
from ingest.formats.fields import FIELDS
from ingest.formats.json_lines import json_format
from ingest.formats.parsed import Format
from ingest.formats.patterns import COMPILERS
from ingest.formats.pieces import Expressions, Piece, Text, Variable, expressions
from ingest.formats.text_lines import text_format
from ingest.formats.w3c import w3c_format

_EXAMPLES: Final = "[[examples]]"
_GROUP: Final = re.compile(r"\(\?P<(\w+)>")


@cache
def declared(name: str) -> Format:
    """Return the format declared in catalogue/`name`.toml; raises FormatError."""
    entry = _table(name, examples=False)
    kind, title = entry["kind"], entry["title"]
    if kind == "json":
        told = {key: entry.get(key, ()) for key in ("markers", "absent", "encoded")}
        return json_format(name, title, _names(entry["names"]), **told)
    patterns = entry.get("pattern", [])
    patterns = patterns if isinstance(patterns, list) else [patterns]
    if kind == "w3c":
        return w3c_format(name, title, patterns, entry.get("only", ()), entry["separators"])
    if kind == "regex":
        found = tuple(_of_regex(pattern, entry) for pattern in patterns)
    elif kind in COMPILERS:
        names = entry.get("names", {})
        found = tuple(
            expressions([_renamed(piece, names) for piece in COMPILERS[kind](pattern)], whole=True)
            for pattern in patterns
        )
    else:
        raise FormatError(f"catalogue/{name}.toml: there is no kind {kind!r}")
    ends: str = entry.get("ends", "")
    made = text_format(name, title, found)
    return replace(made, ends=ends.encode(), family=entry.get("family", ""))


def examples(name: str) -> list[dict[str, Any]]:
    """Return the examples of catalogue/`name`.toml."""
    found: list[dict[str, Any]] = _table(name, examples=True)["examples"]
    return found


def _table(name: str, *, examples: bool) -> dict[str, Any]:
    text = (files("ingest.formats") / "catalogue" / f"{name}.toml").read_text()
    return tomllib.loads(text if examples else text.partition(_EXAMPLES)[0])


def _names(names: Mapping[str, str | list[str]]) -> dict[str, list[str]]:
    return {name: [each] if isinstance(each, str) else each for name, each in names.items()}


def _renamed(piece: Piece, names: Mapping[str, str]) -> Piece:
    if isinstance(piece, Text) or piece.name not in names:
        return piece
    field = names[piece.name] or None
    return Variable(piece.name, piece.kind, field, -1, piece.look, piece.opening, piece.form)


def _of_regex(pattern: str, entry: Mapping[str, Any]) -> Expressions:
    fields = frozenset(_GROUP.findall(pattern))
    unknown = fields - FIELDS
    if unknown:
        raise FormatError(f"the pattern names {', '.join(sorted(unknown))}, which are no fields")
    forms = entry.get("times", {})
    stage = rf"(?s)^{pattern}\r?$"
    return Expressions((stage,), fields, entry.get("needle", ""), _starts(entry), forms)


def _starts(entry: Mapping[str, Any]) -> bytes:
    starts: str = entry.get("starts", "")
    return starts.encode()
