"""The overview of runbooks, and what the site adds to each: the detector's facts and its rule."""

import re
from pathlib import PurePosixPath
from typing import Final

from docs.website.navigation import DOCS
from docs.website.reference.detectors import detectors, limit, rule_files, tags, window
from docs.website.reference.tables import code, plain, table

_TOP: Final = """# Runbooks

A page for every detector: what its incident means, how to check it, what to do, and when it is a
false alarm. `vedette incidents show NUMBER` ends with the page that it needs.
"""


def runbooks_page() -> str:
    """Return the overview, group by group as in docs/detectors.md."""
    known = {each.name: each for each in detectors()}
    text = (DOCS / "detectors.md").read_text(encoding="utf-8").partition("\n## Catalogue")[2]
    parts = []
    for group in re.split(r"^### ", text.partition("\n## ")[0], flags=re.MULTILINE)[1:]:
        names = re.findall(r"^\| `(\w+)`", group, re.MULTILINE)
        rows = [
            (f"[{code(name)}]({name}.md)", plain(known[name].title), known[name].level.label)
            for name in names
        ]
        heads = ("detector", "finds", "level")
        parts.append(f"\n## {group.partition(chr(10))[0]}\n\n{table(heads, rows)}")
    own = "\n## Vedette itself\n\n[alerts_failing](alerts_failing.md): messages do not arrive.\n"
    return _TOP + "".join(parts) + own


class Facts:
    """Adds to a runbook what the program knows of its detector."""

    def __init__(self) -> None:
        self._known = {each.name: each for each in detectors()}

    def added(self, name: str, text: str) -> str:
        """Return a page's text with them; other pages as they are."""
        page = PurePosixPath(name)
        detector = self._known.get(page.name)
        if page.parent.name != "runbooks" or detector is None:
            return text
        heads = ("level", "about", "limit", "in", "tags")
        row = (
            detector.level.label,
            detector.entity_type,
            plain(limit(detector)),
            window(detector),
            tags(detector),
        )
        first, _, rest = text.partition("\n")
        facts = f"{first}\n\n**{plain(detector.title)}.** {plain(detector.description)}\n"
        written = rule_files().get(detector.name)
        rule = "" if written is None else f"\n## The rule\n\n````yaml\n{written.rstrip()}\n````\n"
        return f"{facts}\n{table(heads, [row])}{rest.rstrip()}\n{rule}"
