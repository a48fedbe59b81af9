"""Suggestions: which settings of a source would read a quarantined line.

They are made of names of formats, columns and variables, signs of punctuation, and names of JSON
fields that look like names; nothing else of the line. Each was tried: with these settings the
line is an event.
"""

from collections.abc import Iterator
from typing import Final

from ingest.formats import FORMATS, FormatError, compile_pattern
from ingest.formats.detection import detect_format
from ingest.formats.parsed import Format, Reading
from ingest.lines import LINE_LIMIT, Lines
from ingest.suggested_mapping import suggested_mapping
from ingest.suggested_pattern import suggested_pattern

#: Reasons for which other settings can help.
SUGGESTIBLE: Final = frozenset({"unparsed", "not_text", "no_time"})

_REQUEST: Final = ("path", "status", "method", "request_raw")


def suggestion(line: bytes) -> str | None:
    """Return settings of a source, as TOML, that read the line; None if none are known."""
    if len(line) > LINE_LIMIT or not line.strip():
        return None
    return next(_suggestions(line), None)


def _suggestions(line: bytes) -> Iterator[str]:
    known = detect_format([line]).format
    if known is not None:
        yield f'format = "{known}"'
    text = line.decode(errors="backslashreplace").strip()
    mapping = suggested_mapping(text)
    if mapping and _reads(line, FORMATS["json"], Reading(mapping)):
        fields = ", ".join(f'{column} = "{name}"' for column, name in mapping.items())
        yield f'format = "json"\nmapping = {{ {fields} }}'
    pattern = suggested_pattern(text)
    if pattern is not None:
        try:
            compiled = compile_pattern("nginx", pattern)
        except FormatError:
            return
        if _reads(line, compiled, Reading()):
            yield f"format = \"nginx\"\npattern = '{pattern}'"


def _reads(line: bytes, entry: Format, reading: Reading) -> bool:
    parsed = entry.parse(Lines.of(line), reading)
    if not parsed.height or parsed["timestamp"].null_count():
        return False
    return any(not parsed[name].null_count() for name in _REQUEST)
