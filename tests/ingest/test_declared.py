"""Declared formats: each file's examples are its tests, alone, together and among junk."""

from typing import Any

import polars as pl
import pytest

from ingest.formats import FORMATS
from ingest.formats.declared import examples
from ingest.formats.detection import detect_format
from ingest.formats.parsed import PARSED_SCHEMA, Reading
from ingest.formats.registry import DECLARED
from ingest.lines import Lines

JUNK = ["not a log line", "{", '"""', "203.0.113.7 - - [x", " ", "\\", "\x00", "[", "a\tb", "%"]

EXAMPLES = [
    pytest.param(name, example, id=f"{name}-{number}")
    for name in DECLARED
    for number, example in enumerate(examples(name))
]


def parse(name: str, lines: list[str], directive: str | None = None) -> pl.DataFrame:
    block = Lines.of("\n".join(lines).encode() + b"\n")
    frame = FORMATS[name].parse(block, Reading(directive=directive))
    assert frame.schema == PARSED_SCHEMA
    return frame


def expected(example: dict[str, Any]) -> dict[str, Any]:
    """Return the columns an example names; `false` stands for null."""
    names = [name for name in example if name not in {"line", "parsed", "directive"}]
    assert set(names) <= set(PARSED_SCHEMA)
    return {name: None if example[name] is False else example[name] for name in names}


def of_one_directive(name: str) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the first example's directive, and the examples that have the same."""
    directive = examples(name)[0].get("directive")
    return directive, [each for each in examples(name) if each.get("directive") == directive]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example(name: str, example: dict[str, Any]) -> None:
    rows = parse(name, [example["line"]], example.get("directive")).to_dicts()
    if not example.get("parsed", True):
        assert rows == []
        return
    (row,) = rows
    assert row["timestamp"] is not None
    assert {column: row[column] for column in expected(example)} == expected(example)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example_with_a_carriage_return(name: str, example: dict[str, Any]) -> None:
    plain = parse(name, [example["line"]], example.get("directive"))
    ended = parse(name, [example["line"] + "\r"], example.get("directive"))
    assert ended.equals(plain)


@pytest.mark.parametrize("name", DECLARED)
def test_examples_among_others_and_junk(name: str) -> None:
    directive, all_examples = of_one_directive(name)
    lines = [junk for example in all_examples for junk in [example["line"], *JUNK]]
    together = parse(name, lines, directive)
    alone = [
        parse(name, [line], directive).with_columns(line=pl.lit(index, pl.Int64))
        for index, line in enumerate(lines)
    ]
    assert together.equals(pl.concat(alone))
    parsed = sum(example.get("parsed", True) for example in all_examples)
    assert together.height == parsed


@pytest.mark.parametrize("name", DECLARED)
def test_every_format_is_detected_on_its_examples(name: str) -> None:
    directive, all_examples = of_one_directive(name)
    parsed = [example for example in all_examples if example.get("parsed", True)]
    reading = Reading(directive=directive)
    for chosen in [parsed, *([example] for example in parsed)]:
        found = detect_format([example["line"].encode() for example in chosen], reading)
        assert found.format == name
        assert found.confidence == 1.0
