"""Links lead somewhere, the README begins as promised, nothing names a machine or an index."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, blocks, headings, name_of, page, pages, prose, tracked_files

#: Texts of others, word for word, and a rule about paths that attackers climb to.
NOT_OURS: Final = frozenset({"LICENSE", "detectors/rules/path_traversal.yml"})

#: Homes that examples may show: nobody's.
_NOBODY: Final = r"(?!you\b|user\b|vedette\b)"
_MACHINE: Final = re.compile(
    r"(?<![\w.~/$}*-])/(?:work|root|tmp/exp|Users/\w+|home/" + _NOBODY + r"[a-z][\w.-]*)(?![\w{])"
)
#: Package indexes by name, and any address that looks like one but for examples.
_INDEX: Final = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|crates|golang|maven|conda|anaconda)\.(?:org|com|io)/"
    r"|https?://(?![\w.-]*\.example\b)[^\s\"'<>]*/(?:simple|pypi)\b"
)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links() -> list[tuple[str, Path, str]]:
    return [
        (f"{name_of(path)} -> {link}", path, link)
        for path in pages()
        for link in _LINK.findall(prose(path.read_text(encoding="utf-8")))
        if not re.match(r"[a-z]+:", link)
    ]


def anchor(heading: str) -> str:
    """The name by which a heading can be linked to."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.replace(" ", "-")


@pytest.mark.parametrize(
    ("path", "link"), [found[1:] for found in links()], ids=[found[0] for found in links()]
)
def test_link_leads_somewhere(path: Path, link: str) -> None:
    name, _, part = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    assert target.exists(), f"{name_of(path)} links to {link}, which is not there"
    assert target.is_relative_to(ROOT)
    if part:
        anchors = {anchor(heading) for heading in headings(target.read_text(encoding="utf-8"))}
        assert part in anchors, f"{name_of(path)} links to {link}: no such heading"


def test_every_page_is_linked_from_another() -> None:
    linked = {(path.parent / link.partition("#")[0]).resolve() for _, path, link in links()}
    lost = [name_of(path) for path in pages() if path not in linked and path.name != "README.md"]
    assert not lost


def test_the_readme_begins_with_the_two_commands() -> None:
    commands = re.findall(r"^\$ (.+)$", "\n".join(blocks(page("README.md"), "console")), re.M)
    assert commands[:2] == ["make run", "make test"]


def test_the_readme_maps_every_folder() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked_files() if path.parent != ROOT}
    shown = {folder for folder in folders if re.search(rf"^{folder}/ ", page("README.md"), re.M)}
    assert folders - shown <= {".ci", "requirements"}


@pytest.mark.parametrize("path", tracked_files(), ids=name_of)
def test_file_names_no_machine_and_no_index(path: Path) -> None:
    if name_of(path) in NOT_OURS:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = _MACHINE.search(line) or _INDEX.search(line)
        assert found is None, f"{name_of(path)}:{number} holds {found[0]!r}"
