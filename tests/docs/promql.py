"""As much of PromQL as it takes to see which metrics and labels an expression names."""

import re
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<range>\[(?:\d+[smhdw])+(?::(?:\d+[smhdw])*)?\])
      | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
      | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^=<>(){},])
    )""",
    re.VERBOSE,
)
_CLOSED_BY: Final = {"(": ")", "{": "}"}
_GROUPING: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool"}) | _GROUPING
_FUNCTIONS: Final = frozenset(
    ["absent", "deriv", "histogram_quantile", "increase", "max", "min", "rate", "sum", "time"]
)
_MATCHERS: Final = frozenset({"=", "!=", "=~", "!~"})


@dataclass
class Expression:
    """What an expression names."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def read(text: str) -> Expression:
    """Read an expression; raises ValueError for what is no PromQL, or not known here."""
    tokens = _tokens(text)
    found = Expression()
    opened: list[tuple[str, bool]] = []
    for at, (kind, token) in enumerate(tokens):
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        in_labels = bool(opened) and opened[-1][1]
        if token in _CLOSED_BY and kind == "sign":
            before = tokens[at - 1][1] if at else ""
            opened.append((token, token == "{" or before in _GROUPING))
        elif token in _CLOSED_BY.values():
            if not opened or _CLOSED_BY[opened.pop()[0]] != token:
                raise ValueError(f"{token} closes nothing in {text}")
        elif kind == "name" and in_labels:
            if opened[-1][0] == "{" and following not in _MATCHERS:
                raise ValueError(f"{token} is matched with nothing in {text}")
            found.labels.add(token)
        elif kind == "name" and (token in _FUNCTIONS and following == "("):
            continue
        elif kind == "name" and token not in _WORDS and token not in _FUNCTIONS | {"by"}:
            found.metrics.add(token)
    if opened:
        raise ValueError(f"{opened[-1][0]} is not closed in {text}")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"cannot read {text[at:]!r} of {text}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens
