"""Where texts name somebody: a name as a word of its own, as it is or as URLs write it."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, quote_plus

from sqlalchemy import ColumnElement, Text, cast, or_

#: What stands where a name was.
ERASED: Final = "[erased]"


class Mentions:
    """Finds and replaces names in text; upper and lower case are alike.

    A name counts where no letter, digit or underscore is beside it, and no dot with a digit: not
    10.0.0.1 in 10.0.0.12 or 10.0.0.1.5, but "ada" in "ada@example.com". Rather too much is found
    than too little.
    """

    def __init__(self, names: Iterable[str]) -> None:
        written = {w for name in names for w in (name, quote(name, safe=""), quote_plus(name))}
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
        """Return a condition that holds for every text or JSON value that may name somebody."""
        written = {w for name in self._names for w in (name, json.dumps(name)[1:-1])}
        text = cast(column, Text)
        return or_(
            *(
                test
                for name in sorted(written)
                for test in (
                    text.contains(name, autoescape=True),
                    text.icontains(name, autoescape=True),
                )
            )
        )
