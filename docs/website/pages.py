"""All pages of the site in one folder, as Sphinx wants them."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from docs.website.links import Links, copy_of
from docs.website.navigation import DOCS, Navigation, load_navigation, place_of, source_of
from docs.website.reference import made_pages
from docs.website.reference.runbooks import Facts


def write_pages(folder: Path) -> list[str]:
    """Write the pages and what they link to into an empty folder; return which links are broken.

    Raises OSError for a page of the navigation that is not there.
    """
    navigation = load_navigation()
    places = {file: place_of(name) for name in navigation.pages() if (file := _file_of(name))}
    links = Links(places)
    facts = Facts()
    for name, file, text in _texts(navigation):
        place = place_of(name)
        told = facts.added(name, links.rewritten(text, file, place)) + _contents(navigation, name)
        target = folder / f"{place}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(told, encoding="utf-8")
    for file in links.files:
        copy = folder / copy_of(file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return links.broken


def _file_of(name: str) -> Path:
    """The file that links lead to; of a page that is made, where it would be."""
    return source_of(name) or DOCS / f"{name}.md"


def _texts(navigation: Navigation) -> Iterator[tuple[str, Path, str]]:
    made = made_pages(navigation)
    for name in navigation.pages():
        file = _file_of(name)
        yield name, file, made[name] if name in made else file.read_text(encoding="utf-8")


def _contents(navigation: Navigation, name: str) -> str:
    """The tables of contents that Sphinx makes the navigation from, at the end of a page."""
    if name == navigation.home:
        return "".join(_table(part.pages, part.title) for part in navigation.parts)
    children = navigation.children(name)
    return _table(children) if children else ""


def _table(pages: Sequence[str], caption: str = "") -> str:
    told = f":caption: {caption}\n" if caption else ""
    inner = "\n".join(_entry(page) for page in pages)
    return f"\n\n```{{toctree}}\n:hidden:\n{told}\n{inner}\n```\n"


def _entry(page: str) -> str:
    """A page's line in a table of contents; runbooks by the name of their detector alone."""
    place = PurePosixPath(place_of(page))
    short = place.parent.name == "runbooks" and place.name != "overview"
    return f"{place.name} </{place}>" if short else f"/{place}"
