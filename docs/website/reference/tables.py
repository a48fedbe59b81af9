"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown, and may hold anything but line breaks."""
    lines = [_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """Return a text as code, whatever backticks are in it."""
    told = str(text)
    fence = "``" if "`" in told else "`"
    blank = " " if "`" in told else ""
    return f"{fence}{blank}{told}{blank}{fence}"


def plain(text: str) -> str:
    """Return a text in which nothing means anything to Markdown."""
    for sign in "\\*_<>[]`":
        text = text.replace(sign, f"\\{sign}")
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
