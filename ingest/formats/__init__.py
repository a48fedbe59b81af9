"""Log formats, one small file each; adding one is a file and a line in FORMATS.

combined, common   the CLF family of nginx and Apache: `clf` (fast), `clf_odd` (careful)
json               `json_lines`, with the field names of `json_names`
parsed             what every format returns
detection          guesses the format from the first lines
"""

from typing import Final

from ingest.formats import combined, common, json_lines
from ingest.formats.parsed import Format

FORMATS: Final[dict[str, Format]] = {
    entry.name: entry for entry in (combined.FORMAT, common.FORMAT, json_lines.FORMAT)
}

__all__ = ["FORMATS", "Format"]
