"""Format strings that write JSON objects: which names hold which fields."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ingest.formats.errors import FormatError
from ingest.formats.json_lines import json_format
from ingest.formats.parsed import Format
from ingest.formats.pieces import TIMES, Piece, Text, Variable

_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACE: Final = f"{_OPEN}([0-9]+){_CLOSE}"
_BARE: Final = re.compile(rf"(?<=[:,\[])(\s*){_PLACE}(?=\s*[,}}\]])")


def object_format(kind: str, pieces: Sequence[Piece]) -> Format | None:
    """Return the format if the pattern is a JSON object, else None; raises FormatError."""
    written = "".join(
        piece.text if isinstance(piece, Text) else f"{_OPEN}{number}{_CLOSE}"
        for number, piece in enumerate(pieces)
    ).strip()
    if not (written.startswith("{") and written.endswith("}")):
        return None
    try:
        content = json.loads(_BARE.sub(rf'\1"{_OPEN}\2{_CLOSE}"', written), strict=False)
    except (ValueError, RecursionError):
        return None
    names: dict[str, tuple[int, str]] = {}
    for name, value in _leaves("", content):
        found = re.fullmatch(_PLACE, value.strip())
        piece = pieces[int(found[1])] if found is not None else None
        if isinstance(piece, Variable) and piece.field is not None:
            known = names.get(piece.field)
            if known is None or piece.rank < known[0]:
                names[piece.field] = (piece.rank, name)
    if not names.keys() & set(TIMES):
        raise FormatError("no name of the object holds just a time: add one to the log's format")
    if "client_ip" not in names and "forwarded_for" in names:
        names["client_ip"] = names.pop("forwarded_for")
    mapped = {field: [name] for field, (_, name) in names.items()}
    return json_format(kind, f"{kind} pattern (JSON)", mapped)


def _leaves(above: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Yield (name, with dots for what is inside others; text) of an object's texts."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(f"{above}.{name}" if above else name, below)
    elif isinstance(value, str):
        yield above, value
