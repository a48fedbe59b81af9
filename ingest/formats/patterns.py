"""Patterns of the user's own: what kinds there are, and the formats that they become."""

from collections.abc import Callable, Mapping
from typing import Final

from ingest.formats import apache, combined, common, envoy, nginx
from ingest.formats.errors import FormatError
from ingest.formats.object_patterns import object_format
from ingest.formats.parsed import Format
from ingest.formats.pieces import PATTERN_LIMIT, Piece, Text, expressions
from ingest.formats.text_lines import text_format

COMPILERS: Final[Mapping[str, Callable[[str], list[Piece]]]] = {
    "nginx": nginx.pieces,
    "apache": apache.pieces,
    "envoy": envoy.pieces,
}

#: Formats that need a pattern of the user's.
PATTERNS: Final = tuple(COMPILERS)

_COMBINED: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
_FAST: Final = {
    ("nginx", _COMBINED): combined.FORMAT,
    ("nginx", _COMBINED + ' "$http_x_forwarded_for"'): combined.FORMAT,
    ("apache", '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'): combined.FORMAT,
    ("apache", '%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"'): combined.FORMAT,
    ("apache", '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"'): combined.FORMAT,
    ("apache", '%h %l %u %t "%r" %>s %b'): common.FORMAT,
}


def compile_pattern(kind: str, pattern: str) -> Format:
    """Return the format that a pattern describes.

    `kind` is one of PATTERNS; `pattern` the server's own format string, alone or as the whole
    directive (log_format name '...'; or LogFormat "..." name). Raises FormatError, which says
    what cannot be read and what to do.
    """
    if kind not in COMPILERS:
        raise FormatError(f"there are no patterns of kind {kind!r}: use {', '.join(PATTERNS)}")
    if len(pattern) > PATTERN_LIMIT:
        raise FormatError(f"the pattern is longer than {PATTERN_LIMIT} characters")
    if not pattern.strip():
        raise FormatError(f"the pattern is empty: paste the {kind} server's format string")
    pieces = COMPILERS[kind](pattern)
    written = "".join(piece.text if isinstance(piece, Text) else piece.name for piece in pieces)
    found = _FAST.get((kind, written.strip())) or object_format(kind, pieces)
    return found or text_format(kind, f"{kind} pattern", (expressions(pieces),))
