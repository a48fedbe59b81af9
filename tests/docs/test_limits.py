"""docs/limits.md has the numbers of the program."""

import importlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROW = re.compile(r"\| (?P<what>[^|]+) \| (?P<number>[\d,]+) \|.*\| (?P<place>[\w.]+) \|")
ROWS = [match.groupdict() for match in map(ROW.fullmatch, PAGE.read_text().splitlines()) if match]


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
    assert len(ROWS) == len(table) - len(heads)
