"""Log formats, one small file each; adding one is a file and a line in FORMATS.

combined, common   the CLF family of nginx and Apache: `clf` (fast), `clf_odd` (careful)
json               `json_lines`, with the field names of `json_names`
fields             what the fields of all formats mean
parsed             what every format returns
detection          guesses the format from the first lines
"""

from typing import Final

from ingest.formats import combined, common, json_lines
from ingest.formats.parsed import Format

FORMATS: Final[dict[str, Format]] = {
    entry.name: entry for entry in (combined.FORMAT, common.FORMAT, json_lines.FORMAT)
}

#: Formats that need a pattern of the user's.
PATTERNS: Final = ("nginx", "apache")


class FormatError(ValueError):
    """A pattern that cannot be read; says what and where."""


def compile_pattern(kind: str, pattern: str) -> Format:
    """Return the format that a pattern describes; raises FormatError."""
    raise FormatError(f"{kind} patterns are not read yet: {pattern!r}")


__all__ = ["FORMATS", "PATTERNS", "Format", "FormatError", "compile_pattern"]
