"""Which page stands where on the site, as navigation.toml says."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
FILE: Final = Path(__file__).with_name("navigation.toml")

#: Pages that are made when the site is built stand below these names.
MADE: Final = ("reference/", "runbooks/overview", "decisions/overview")


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of the navigation, and the pages below it, by their names in navigation.toml."""

    title: str
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Navigation:
    """The whole: the first page, parts, and which folder's pages stand below a page."""

    home: str
    parts: tuple[Part, ...]
    below: dict[str, str]

    def pages(self) -> list[str]:
        """Return the names of all pages, in their order."""
        found = [self.home]
        for page in (page for part in self.parts for page in part.pages):
            found += [page, *self.children(page)]
        return found

    def children(self, page: str) -> list[str]:
        """Return the pages below a page."""
        folder = self.below.get(page)
        if folder is None:
            return []
        names = [
            file.relative_to(DOCS).with_suffix("").as_posix()
            for file in sorted((DOCS / folder).rglob("*.md"))
        ]
        return [name for name in names if name != page]


def load_navigation(file: Path = FILE) -> Navigation:
    """Return the navigation; raises OSError, ValueError or KeyError if the file is not right."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    parts = (Part(part["title"], tuple(part["pages"])) for part in table["parts"])
    return Navigation(table["home"], tuple(parts), table["below"])


def source_of(name: str) -> Path | None:
    """Return the file of a page, None of one that is made when the site is built."""
    if name.startswith(MADE):
        return None
    folder = ROOT if name.startswith("/") else DOCS
    return folder / f"{name.removeprefix('/')}.md"


def place_of(name: str) -> str:
    """Return where a page stands on the site, without its ending.

    README pages stand in for their folder; what lies at the project's top is in small letters.
    """
    if name.startswith("/"):
        name = name.removeprefix("/").lower()
        return name.removesuffix("/readme")
    if name == "ship/compose/README":
        return "ship/compose"
    return f"{name.removesuffix('README')}index" if name.endswith("README") else name
