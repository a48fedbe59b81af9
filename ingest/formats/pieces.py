r"""What a pattern says, piece by piece, and the regular expressions it becomes.

A pattern is text to be found as it is (Literal) and values (Variable). Four expressions are made
of it, tried in this order on the lines that the ones before left: as the pattern says; with
further fields behind; with values that hold their own delimiter (quotes that nobody escaped,
blanks); with the last fields missing. The first takes nearly all lines and is written such that
one look ahead always tells which way to go, which is several times as fast.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from ingest.formats.errors import FormatError

#: What values look like: "word" never holds a blank, "token" hardly ever, "name" seldom, "list" is
#: separated by a comma (or a colon between blanks) and a blank, "text" may hold anything, "mark" is
#: one of the characters of `opening` or nothing.
Kind = Literal["address", "number", "time", "word", "token", "name", "list", "text", "mark"]

#: Longer patterns are refused.
PATTERN_LIMIT: Final = 8192
PIECES_LIMIT: Final = 256

#: Fields that tell when; a pattern needs one.
TIMES: Final = ("timestamp", "start")

#: Fields without which a line is none, whatever follows them.
_NEEDED: Final = frozenset({*TIMES, "client_ip", "status", "request", "uri", "path", "method"})

#: What may close a value.
_CLOSING: Final = tuple("\"'])}")

_NUMBER: Final = r"-?[0-9]*(?:\.[0-9]+)?"
_ADDRESS: Final = r"(?:unix:|-|[0-9A-Fa-f:.\[\]]+(?:%[0-9A-Za-z]+)?)"
#: Values that hold blanks and are followed by one.
_BLANKS: Final[dict[str, str]] = {"list": r"[^ ,]*(?:(?:, | : )[^ ,]+)*", "text": ".*?"}

#: What stands between the values of most logs: it tells no format from others.
_USUAL: Final = '- - [] "" - "-" "-" []'

_ADDRESS_STARTS: Final = "0123456789abcdefABCDEF:[u-"


@dataclass(frozen=True, slots=True)
class Text:
    """Text that stands in each line as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A value: its name in the pattern, what it looks like, and the field it gives, if any.

    Of several variables for one field that with the least rank is taken. `look` is a regular
    expression for values of kind "time", `form` their strftime format if it is their own.
    `opening` are the characters that a value begins with, unless it is empty: only such a value
    may follow another without text between them.
    """

    name: str
    kind: Kind
    field: str | None = None
    rank: int = 0
    look: str = ""
    opening: str = ""
    form: str = ""


Piece = Text | Variable


@dataclass(frozen=True, slots=True)
class Expressions:
    """Regular expressions with groups named after fields, the strictest first.

    All are anchored at both ends and take time linear in the line. `needle` is text that every
    line holds, `starts` the bytes that a line may begin with (none: any), `forms` the strftime
    formats of time fields that have their own.
    """

    stages: tuple[str, ...]
    fields: frozenset[str]
    needle: str
    starts: bytes
    forms: Mapping[str, str]


def expressions(pieces: Sequence[Piece], *, whole: bool = False) -> Expressions:
    """Return the expressions for a pattern; raises FormatError.

    If `whole`, lines must have all fields: for patterns that tell a format from others.
    """
    merged = _checked(pieces)
    fields = _chosen(merged)
    groups = {id(piece): field for field, piece in fields.items()}
    strict = [_strict(merged, number, groups) for number in range(len(merged))]
    loose = [_loose(merged, number, groups) for number in range(len(merged))]
    body = "".join(strict)
    split = _split(merged)
    stages = (
        rf"(?s)^{body}\r?$",
        rf"(?s)^\s*{body}(?:[ \t,|;].*)?$",
        rf"(?s)^\s*{''.join(loose)}\s*$",
        rf"(?s)^\s*{_with_last_optional(split, groups)}\s*$",
    )[: 3 if whole else 4]
    needed = split if whole else split[: _last_needed(split)]
    literals = [piece.text.strip() for piece in needed if isinstance(piece, Text)]
    needle = max(literals, key=lambda text: (text not in _USUAL, len(text)), default="")
    forms = {field: piece.form for field, piece in fields.items() if piece.form}
    return Expressions(stages, frozenset(fields), needle, _starts(merged), forms)


def _checked(pieces: Sequence[Piece]) -> list[Piece]:
    """Join neighbouring texts and refuse what cannot be told apart."""
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, Text) and isinstance(last, Text):
            merged[-1] = Text(last.text + piece.text)
        elif not isinstance(piece, Text) or piece.text:
            merged.append(piece)
    if len(merged) > PIECES_LIMIT:
        raise FormatError(f"the pattern has {len(merged)} parts, more than {PIECES_LIMIT}")
    for one, two in pairwise(merged):
        if isinstance(one, Text) or isinstance(two, Text):
            continue
        if one.kind != "mark" and not two.opening:
            raise FormatError(
                f"{one.name} is followed by {two.name} without anything between them, so nobody "
                "can tell where one ends: put a blank or another separator there, in the log's "
                "own configuration too"
            )
    if not any(isinstance(piece, Variable) for piece in merged):
        raise FormatError("the pattern has no variable: paste it as the server's settings have it")
    return merged


def _chosen(pieces: Sequence[Piece]) -> dict[str, Variable]:
    """Return the variable that gives each field: the one with the least rank, then the first."""
    chosen: dict[str, Variable] = {}
    for piece in pieces:
        if isinstance(piece, Variable) and piece.field is not None:
            known = chosen.get(piece.field)
            if known is None or piece.rank < known.rank:
                chosen[piece.field] = piece
    if not chosen.keys() & set(TIMES):
        raise FormatError(
            "the pattern has no time: add one to the log's format, as $time_iso8601 or %t"
        )
    if not chosen.keys() - set(TIMES):
        raise FormatError("the pattern has nothing but a time: no request, status or client")
    return chosen


def _following(pieces: Sequence[Piece], number: int) -> str:
    """Return the characters of which one ends the value at `number`; none at the line's end."""
    ends = ""
    for piece in pieces[number + 1 :]:
        if isinstance(piece, Text):
            return ends + piece.text[0]
        ends += piece.opening
    return ends


def _strict(pieces: Sequence[Piece], number: int, groups: dict[int, str]) -> str:
    piece = pieces[number]
    if isinstance(piece, Text):
        return re.escape(piece.text)
    ends = _following(pieces, number)
    joined = number > 0 and isinstance(pieces[number - 1], Variable)
    return _group(piece, _value(piece, ends, joined=joined), groups)


def _value(piece: Variable, ends: str, *, joined: bool) -> str:
    excluded = re.escape(ends or " ")
    looks = {"number": _NUMBER, "address": _ADDRESS, "time": piece.look}
    looks |= {"mark": f"[{re.escape(piece.opening)}]?", "word": f"[^{excluded} ]*"}
    if joined and piece.opening and piece.kind != "mark":
        return rf"(?:[{re.escape(piece.opening)}][^{excluded}]*)?"
    if piece.kind in looks:
        return looks[piece.kind]
    if ends.endswith('"'):
        return rf"[^{excluded}\\]*(?:\\.[^{excluded}\\]*)*"
    if piece.kind in _BLANKS and ends[-1:] in {"", " "}:
        return _BLANKS[piece.kind] if ends else ".*"
    return f"[^{excluded}]*"


def _loose(pieces: Sequence[Piece], number: int, groups: dict[int, str]) -> str:
    piece = pieces[number]
    if isinstance(piece, Variable):
        ends = _following(pieces, number)
        if piece.kind == "word":
            return _group(piece, "[^ ]*?", groups)
        apart = number == 0 or isinstance(pieces[number - 1], Text)
        free = piece.kind in {"text", "name", "list"} or (piece.field == "uri" and apart)
        if free or ends.endswith('"'):
            return _group(piece, ".*?", groups)
    return _strict(pieces, number, groups)


def _group(piece: Variable, value: str, groups: dict[int, str]) -> str:
    field = groups.get(id(piece))
    return f"(?P<{field}>{value})" if field else f"(?:{value})"


def _split(pieces: Sequence[Piece]) -> list[Piece]:
    """Part texts behind the quote or bracket that closes the value before."""
    split: list[Piece] = []
    for piece in pieces:
        closing = isinstance(piece, Text) and piece.text[0] in _CLOSING
        if isinstance(piece, Text) and closing and split and isinstance(split[-1], Variable):
            split.append(Text(piece.text[0]))
            piece = Text(piece.text[1:])  # noqa: PLW2901
        if not isinstance(piece, Text) or piece.text:
            split.append(piece)
    return split


def _last_needed(split: Sequence[Piece]) -> int:
    """Return the number of the last piece that no line may lack."""
    needed = [
        number
        for number, piece in enumerate(split)
        if isinstance(piece, Variable) and piece.field in _NEEDED
    ]
    last = max(needed, default=len(split) - 1)
    return last + _closes(split, last + 1)


def _closes(split: Sequence[Piece], number: int) -> bool:
    piece = split[number] if number < len(split) else None
    return isinstance(piece, Text) and piece.text in _CLOSING


def _with_last_optional(split: Sequence[Piece], groups: dict[int, str]) -> str:
    """Return the loose expression with everything behind the last needed piece optional."""
    last = _last_needed(split)
    values = [_loose(split, number, groups) for number in range(len(split))]
    tails: list[str] = []
    for number in range(last + 1, len(split)):
        if tails and (isinstance(split[number], Variable) or _closes(split, number)):
            tails[-1] += values[number]
        else:
            tails.append(values[number])
    return "".join(values[: last + 1]) + "".join(f"(?:{tail}" for tail in tails) + ")?" * len(tails)


def _starts(pieces: Sequence[Piece]) -> bytes:
    first = pieces[0]
    if isinstance(first, Text):
        return first.text[0].encode()[:1]
    return _ADDRESS_STARTS.encode() if first.kind == "address" else b""
