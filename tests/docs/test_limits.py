"""docs/limits.md has the numbers of the program, all limits of what is kept, and all tables."""

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.database.models import Model

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "limits.md"
ROW = re.compile(r"\| (?P<what>[^|]+) \| (?P<number>[\d,]+) \|.*\| (?P<place>[\w.]+) \|")
TABLE = re.compile(r"\| `(\w+)` \|[^|]+\|[^|]+\|")
ROWS = [match.groupdict() for match in map(ROW.fullmatch, PAGE.read_text().splitlines()) if match]

#: What a constant is called that bounds something.
LIMITS = re.compile(r"_?([A-Z_]+_)?(LIMIT|LIMITS|KEPT|CAP|REMEMBERED)")

#: Those that bound no state and refuse nothing: they decide what is shown, or how it is read.
OTHERS = {
    "alerts.blocking.blocklist.REMEMBERED",
    "alerts.lists.cursors._LIMIT",
    "alerts.lists.filters.TEXT_LIMIT",
    "alerts.lists.looking_up.REMEMBERED",
    "alerts.lists.queries.PAGE_LIMIT",
    "alerts.lists.queries.TELLING_LIMIT",
    "alerts.lists.related.REASON_LIMIT",
    "alerts.lists.related.RELATED_LIMIT",
    "alerts.incidents.rollup.SLACK_LIMIT",
    "alerts.database.safety.ASN_LIMIT",
    "alerts.muting.silences.LIST_LIMIT",
    "alerts.incidents.story.CLAIM_LIMIT",
    "alerts.incidents.summary.CLAIM_LIMIT",
    "alerts.incidents.summary.NAME_LIMIT",
    "alerts.sending.timers._KEPT",
    "ingest.masking._DOUBLE_LIMIT",
    "ingest.networks._TEXT_LIMIT",
    "ingest.quarantine.POSITIONS_KEPT",
    "ingest.quarantine_group.NOT_KEPT",
    "ingest.route_learning.NETWORK_LIMIT",
    "ingest.route_learning.VALUE_LIMIT",
    "ingest.route_learning._NO_LIMIT",
    "ingest.shapes._KEPT",
    "ingest.uniform_times._DAYS_LIMIT",
    "ingest.wrappers.cri._HEAD_LIMIT",
    "ingest.wrappers.syslog._HEAD_LIMIT",
}


def constants(package: str) -> Iterator[str]:
    """Yield the dotted names of a package's constants that are called like limits."""
    for file in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and LIMITS.fullmatch(target.id):
                yield f"{module}.{target.id}"


def value_of(place: str) -> object:
    """What a dotted name stands for: a constant of a module, or a part of one."""
    parts = place.split(".")
    length = next(n for n, part in enumerate(parts) if part.isupper() or part.strip("_").isupper())
    found: object = importlib.import_module(".".join(parts[:length]))
    for part in parts[length:]:
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row["place"] for row in ROWS])
def test_numbers_are_those_of_the_program(row: dict[str, str]) -> None:
    value = value_of(row["place"])
    if isinstance(value, timedelta):
        value = value // timedelta(hours=1)
    assert value == int(row["number"].replace(",", "")), row["what"]


def test_every_row_is_read() -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    heads = [line for line in table if line.startswith("| what |")]
    tables = [line for line in table if line.startswith(("| `", "| table |"))]
    assert len(ROWS) == len(table) - len(heads) - len(tables)


@pytest.mark.parametrize("package", ["alerts", "ingest"])
def test_every_limit_is_on_the_page(package: str) -> None:
    """Whoever adds a limit says here what happens beyond it."""
    found = set(constants(package))
    told = {row["place"] for row in ROWS}
    assert {name for name in found - OTHERS if not any(t.startswith(name) for t in told)} == set()
    assert {name for name in OTHERS if name.startswith(f"{package}.")} <= found


def test_every_table_of_the_database_is_on_the_page() -> None:
    told = [match[1] for match in map(TABLE.fullmatch, PAGE.read_text().splitlines()) if match]
    assert sorted(told) == sorted(Model.metadata.tables)
