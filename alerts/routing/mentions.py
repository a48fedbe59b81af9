"""Where texts name somebody: a name as a word of its own, as it is, in URLs or in silences."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, quote_plus

from sqlalchemy import ColumnElement, Text, cast, or_

from alerts.routing.matchers import literal

#: What LIKE would take for something else, and what says that it shall not.
_ESCAPE: Final = "!"
_SPECIAL: Final = re.compile(r"[%_!]")

_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")

#: What stands where a name was.
ERASED: Final = "[erased]"


class Mentions:
    """Finds and replaces names in text; upper and lower case are alike.

    A name counts where no letter, digit or underscore is beside it, and no dot with a digit: not
    10.0.0.1 in 10.0.0.12 or 10.0.0.1.5, but "ada" in "ada@example.com". Rather too much is found
    than too little.
    """

    def __init__(self, names: Iterable[str]) -> None:
        written = {
            written
            for name in names
            for cased in (name, name.lower(), name.upper(), name.title())
            for written in (cased, quote(cased, safe=""), quote_plus(cased), literal(cased))
        }
        #: The longest first, so that a name is replaced whole.
        self._names: Sequence[str] = sorted(filter(None, written), key=lambda n: (-len(n), n))
        self._pattern = re.compile(
            rf"(?<!\w)(?<!\d\.)(?:{'|'.join(map(re.escape, self._names))})(?!\w)(?!\.\d)",
            re.IGNORECASE,
        )

    def erased_from(self, value: Any) -> Any:  # noqa: ANN401 - text, or what JSON may hold
        """Return a text, or the texts in lists and tables, with ERASED for every name."""
        if isinstance(value, str):
            return self._pattern.sub(ERASED, value)
        if isinstance(value, list):
            return [self.erased_from(item) for item in value]
        if isinstance(value, dict):
            return {self.erased_from(key): self.erased_from(item) for key, item in value.items()}
        return value

    def likely_in(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return a condition that holds for every text or JSON value that may name somebody.

        Databases know upper and lower case of ASCII letters only, or of the language they were
        made for; and JSON writes other letters as numbers. So any text may stand for those.
        """
        patterns = {_pattern(name) for name in self._names}
        patterns |= {_pattern(name, lambda part: json.dumps(part)[1:-1]) for name in self._names}
        text = cast(column, Text)
        return or_(*(text.ilike(pattern, escape=_ESCAPE) for pattern in sorted(patterns)))


def _pattern(name: str, written: Callable[[str], str] = str) -> str:
    parts = (_SPECIAL.sub(rf"{_ESCAPE}\g<0>", written(part)) for part in _FOREIGN.split(name))
    return f"%{'%'.join(parts)}%"
