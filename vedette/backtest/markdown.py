"""A comparison as Markdown, for a pull request. Text from logs stands in code spans only."""

from collections.abc import Iterator, Sequence
from typing import Final

from ingest.masking import printable
from vedette.backtest.comparing import Change, Comparison, Difference
from vedette.backtest.words import about, figure_rows, headline, span_of, verdict_of

#: Differences of one kind that are listed at most.
LISTED: Final = 100

_TITLES: Final[dict[Change, str]] = {"gained": "Gained", "lost": "Lost", "changed": "Changed"}


def markdown_of(compared: Comparison) -> str:
    """Return the whole as GitHub-flavoured Markdown."""
    return "\n".join(_lines(compared)) + "\n"


def _lines(compared: Comparison) -> Iterator[str]:
    before, after = map(_code, compared.names)
    yield "## Back-test"
    yield ""
    yield f"**{headline(compared)}**"
    yield ""
    yield f"{before} against {after}, over {about(compared)}."
    yield ""
    yield "| | before | after | difference |"
    yield "|---|---:|---:|---:|"
    for row in figure_rows(compared):
        yield f"| {' | '.join(row)} |"
    if compared.missed:
        yield ""
        yield f"No longer found: {', '.join(map(_code, compared.missed))}."
    for change in ("gained", "lost", "changed"):
        found = compared.only(change)
        if found:
            yield from _table(change, found)


def _table(change: Change, found: Sequence[Difference]) -> Iterator[str]:
    yield ""
    yield f"<details open><summary>{_TITLES[change]}: {len(found):,}</summary>"
    yield ""
    yield "| since (UTC) | severity | entity | what was measured | label |"
    yield "|---|---|---|---|---|"
    for each in found[:LISTED]:
        old, new = each.severity
        severity = f"{old} -> {new}" if old and new and old != new else new or old or ""
        measured = "<br>".join(_code(line) for line in (*each.what, *map(str, each.telling)))
        entity = f"{each.entity_type} {_code(each.entity)}"
        label = "-" if each.known.label == "unknown" else _code(verdict_of(each))
        yield f"| {span_of(each)} | {severity} | {entity} | {measured} | {label} |"
    if len(found) > LISTED:
        yield ""
        yield f"The first {LISTED}."
    yield ""
    yield "</details>"


def _code(text: str) -> str:
    """Return text as a code span in a table: no markup, mention or link comes of it."""
    plain = printable(text).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{plain.strip() or ' '}`"
