"""The overview of decisions, from the headings of their pages."""

from collections.abc import Sequence

from docs.website.navigation import DOCS


def decisions_page(names: Sequence[str]) -> str:
    """Return the page; `names` are those of its pages in the navigation."""
    lines = [f"- [{_heading(name)}](../{name}.md)" for name in names]
    return "# Decisions\n\nWhat was decided, and why.\n\n" + "\n".join(lines) + "\n"


def _heading(name: str) -> str:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("# ")
