"""Links between files of the project, as they are on the site.

On the site pages lie elsewhere than in the project, and other files are downloads; so a link is
followed in the project, and written anew for the place where its page stands.
"""

import re
from collections.abc import Mapping
from os.path import relpath
from pathlib import Path
from typing import Final

from docs.website.navigation import ROOT

#: Where files that are no pages lie on the site.
FILES: Final = Path("files")

_LINK: Final = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"^( *)(`{3,})[^\n]*\n.*?^\1\2 *$", re.MULTILINE | re.DOTALL)


def copy_of(file: Path) -> Path:
    """Return where a file that is no page lies on the site; Markdown is no page there."""
    place = FILES / file.relative_to(ROOT)
    return place.with_name(f"{place.name}.txt") if place.suffix == ".md" else place


class Links:
    """Rewrites pages; `files` collects the files that are linked and are no pages, `broken` what
    is wrong with links that lead nowhere.

    `places` says where the page of a file of the project stands on the site, without its ending.
    What has no page there, as the README, leads to the first page.
    """

    def __init__(self, places: Mapping[Path, str]) -> None:
        self._places = places
        self.files: set[Path] = set()
        self.broken: list[str] = []

    def rewritten(self, text: str, file: Path, place: str) -> str:
        """Return a page's text with its links as they are at `place`.

        Links are followed from `file`. Fenced code is left as it is.
        """
        parts = []
        at = 0
        for block in _CODE.finditer(text):
            parts += [self._prose(text[at : block.start()], file, place), block[0]]
            at = block.end()
        return "".join([*parts, self._prose(text[at:], file, place)])

    def _prose(self, text: str, file: Path, place: str) -> str:
        return _LINK.sub(lambda link: self._link(link, file, place), text)

    def _link(self, link: re.Match[str], file: Path, place: str) -> str:
        label, target = self._prose(link[1], file, place), link[2]
        label = label.removesuffix(".md")  # pages of the site have no such names
        sign = "!" if link[0].startswith("!") else ""
        name, _, part = target.partition("#")
        if re.match(r"[a-z]+:", target) or not name:
            return link[0]
        leads = (file.parent / name).resolve()
        if not leads.is_file() and leads not in self._places:
            self.broken.append(f"{file.relative_to(ROOT)} links to {target}: there is no such")
            return label
        return f"{sign}[{label}]({self._written(leads, place)}{'#' + part if part else ''})"

    def _written(self, leads: Path, place: str) -> str:
        here = Path(place).parent
        if leads in self._places:
            return relpath(f"{self._places[leads]}.md", here)
        if leads == ROOT / "README.md":
            return relpath("index.md", here)
        self.files.add(leads)
        return relpath(copy_of(leads), here)
