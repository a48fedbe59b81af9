"""Every log format with a line of it, from the catalogue."""

from typing import Final

from docs.website.reference.tables import code
from ingest.formats.declared import examples
from ingest.formats.registry import DECLARED, FORMATS

_TOP: Final = """# Every format

{count} formats, in the order in which they are tried: where two take the same lines, the first has
them. What they are for, and how the format of a log is found, is in [formats](../formats.md). The
lines are those that the program is tested with.
"""

#: Columns of an example that are no columns of events.
_OTHER: Final = frozenset({"line", "directive", "parsed", "client"})


def formats_page() -> str:
    """Return the page."""
    return _TOP.format(count=len(FORMATS)) + "".join(map(_section, FORMATS))


def _section(name: str) -> str:
    told = f"\n## {name}\n\n{FORMATS[name].title}.\n"
    if name not in DECLARED:
        return told
    first = next(each for each in examples(name) if each.get("parsed", True))
    columns = ", ".join(code(key) for key in first if key not in _OTHER)
    directive = f"{first['directive']}\n" if "directive" in first else ""
    return f"{told}\n```text\n{directive}{first['line']}\n```\n\nBecomes {columns}.\n"
