"""The project's pages and other tracked text, for the tests that hold them to the code."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

#: Made by programs, or not ours to word.
_SKIPPED: Final = frozenset({".venv", ".git", "build", "dist", "node_modules"})


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return the files under version control, or all that look like it outside of a clone."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return tuple(path for path in ROOT.rglob("*") if path.is_file() and _is_ours(path))
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def _is_ours(path: Path) -> bool:
    return not any(
        part in _SKIPPED or part.startswith(".") or part == "__pycache__"
        for part in path.relative_to(ROOT).parts[:-1]
    )


def pages() -> list[Path]:
    """Return every Markdown file of the project."""
    return sorted({path for path in tracked_files() if path.suffix == ".md"} | _new_pages())


def _new_pages() -> set[Path]:
    return {ROOT / "README.md", *(ROOT / "docs").rglob("*.md")}


def name_of(path: Path) -> str:
    """Return a file's name within the project, to name a test by."""
    return path.relative_to(ROOT).as_posix()


def page(name: str) -> str:
    """Return the text of docs/<name>, or of another page by its path."""
    path = ROOT / "docs" / name
    return (path if path.exists() else ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced code blocks of a language, indented ones included."""
    pattern = rf"^( *)```{language}\n(.*?)^\1```"
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def prose(text: str) -> str:
    """Return a page without its fenced code blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of all tables by what stands between backticks in their first cell."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            for key in re.findall(r"`([^`]+)`", cells[0]):
                found[key] = cells
    return found


def headings(text: str) -> list[str]:
    """Return the headings of a page, without their signs."""
    return re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
