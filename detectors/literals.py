"""What a regular expression cannot match without: texts of which one is in every match.

Reads the syntax of Rust's engine, which runs the rules' expressions. What it is not sure of it
skips: it may find too little, never too much.
"""

from functools import lru_cache
from typing import Final

#: Texts of which a match has at least one; None where nothing is known.
Literals = frozenset[str] | None

_QUANTIFIERS: Final = {"*": 0, "?": 0, "+": 1}

#: How many hexadecimal digits follow these escapes, where no brace does.
_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


class _UnsureError(Exception):
    """The expression has a part that this reader does not know."""


@lru_cache(maxsize=4_096)  # rules share expressions, and each is asked for twice
def required_literals(pattern: str) -> Literals:
    """Return texts (ASCII, lower case) of which every match of the expression holds one.

    They are to be looked for without regard to the case of ASCII letters. None if there are none.
    """
    reader = _Reader(pattern)
    try:
        found = reader.alternatives()
    except (_UnsureError, IndexError):
        return None
    return found if reader.at_end else None


def weight(literals: Literals) -> int:
    """Return how telling the texts are: the length of the shortest, 0 for nothing."""
    return min(map(len, literals), default=0) if literals else 0


class _Reader:
    """Goes through an expression once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self._at >= len(self._pattern)

    def alternatives(self) -> Literals:
        """Read branches up to the end or a closing bracket."""
        branches = [self._sequence()]
        while self._takes("|"):
            branches.append(self._sequence())
        known = [branch for branch in branches if branch]
        return frozenset().union(*known) if len(known) == len(branches) else None

    def _sequence(self) -> Literals:
        best: Literals = None
        run = ""
        while not self.at_end and self._pattern[self._at] not in "|)":
            atom = self._atom()
            least, quantified = self._repeated()
            if isinstance(atom, str) and not quantified:
                run += atom
                continue
            whole = run + atom if isinstance(atom, str) and least else run
            inner = atom if not isinstance(atom, str) and least else None
            best = max(best, frozenset({whole}), inner, key=weight)
            run = ""
        return max(best, frozenset({run}), key=weight) if run or best else None

    def _atom(self) -> str | Literals:
        """Read a character, or what stands for one or several: then the literals in it."""
        char = self._pattern[self._at]
        self._at += 1
        if char == "\\":
            return self._escape()
        if char == "(":
            return self._group()
        if char == "[":
            self._class()
        return None if char in "[.^$" or not char.isascii() else char.lower()

    def _escape(self) -> str | None:
        char = self._pattern[self._at]
        self._at += 1
        if char in "pPb" or char in _DIGITS:
            if self._takes("{"):
                self._at = self._find("}") + 1
            elif char != "b":
                self._at += _DIGITS.get(char, 1)
        plain = char.isascii() and not char.isalnum() and char not in "<>"
        return char if plain else None

    def _group(self) -> Literals:
        if self._takes("?"):
            if self._takes("P<") or self._takes("<"):
                self._at = self._find(">") + 1
            else:
                flags = self._flags()
                if self._pattern[self._at - 1] == ")":  # for what follows, nothing inside
                    return None
                if "x" in flags:
                    raise _UnsureError
        found = self.alternatives()
        if not self._takes(")"):
            raise _UnsureError
        return found

    def _flags(self) -> str:
        """Read flags and the colon or bracket after them."""
        begin = self._at
        while self._pattern[self._at] not in ":)":
            self._at += 1
        self._at += 1
        flags = self._pattern[begin : self._at - 1]
        if not set(flags) <= set("imsUuR-"):
            raise _UnsureError
        return flags

    def _class(self) -> None:
        """Skip a character class; classes may hold classes."""
        self._takes("^")
        self._takes("]")
        while not self._takes("]"):
            char = self._pattern[self._at]
            self._at += 2 if char == "\\" else 1
            if char == "[":
                self._class()

    def _repeated(self) -> tuple[int, bool]:
        """Read quantifiers: the least number of times, and whether there were any."""
        least, quantified = 1, False
        while not self.at_end and (char := self._pattern[self._at]) in "*?+{":
            self._at += 1
            quantified = True
            if char == "{":
                end = self._find("}")
                digits = self._pattern[self._at : end].partition(",")[0].strip()
                least = min(least, int(digits) if digits.isdecimal() else 0)
                self._at = end + 1
            else:
                least = min(least, _QUANTIFIERS[char])
        return least, quantified

    def _takes(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _find(self, text: str) -> int:
        found = self._pattern.find(text, self._at)
        if found < 0:
            raise _UnsureError
        return found
