"""Suggestions: which settings may help to read a quarantined line.

Only what can be said without the line's content: names of formats and columns, and names of JSON
fields that look like names.
"""

from typing import Final

from ingest.formats.detection import detect_format

#: Reasons for which other settings can help.
SUGGESTIBLE: Final = frozenset({"unparsed", "not_text", "no_time"})


def suggestion(line: bytes) -> str | None:
    """Return settings of a source, as TOML, that would read the line; None if none is known."""
    found = detect_format([line]).format
    return None if found is None else f'format = "{found}"'
