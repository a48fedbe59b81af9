"""Detection over all formats, logs that mix them, and what no line may do to any of them."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import FORMATS, Format
from ingest.formats.declared import examples
from ingest.formats.detection import detect_format
from ingest.formats.directives import directives, last_directive
from ingest.formats.mixed import likely, read_mixed
from ingest.formats.parsed import PARSED_SCHEMA, Reading
from ingest.formats.registry import DECLARED
from ingest.lines import Lines

COMBINED = (
    '203.0.113.7 - - [02/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 5 "https://a.example/" "c"'
)
COMMON = '203.0.113.7 - - [02/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 5'
HOSTED = "shop.example:443 " + COMBINED
JSON = json.dumps({"time": 1_793_602_800, "path": "/", "status": 200, "client_ip": "::1"})
FIELDS = "#Fields: date time c-ip cs-method cs-uri-stem sc-status"


def lines_of(name: str) -> list[str]:
    """Return a format's examples that need no directive and are read."""
    return [
        example["line"]
        for example in examples(name)
        if example.get("parsed", True) and "directive" not in example
    ]


SAMPLES = {
    "combined": [COMBINED],
    "common": [COMMON],
    "vhost_combined": [HOSTED],
    "json": [JSON],
    **{name: lines_of(name) for name in DECLARED if lines_of(name)},
}
EVERY_LINE = [line for several in SAMPLES.values() for line in several]
ALL = list(FORMATS.values())


def block(*lines: str | bytes) -> Lines:
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return Lines.of(b"\n".join(raw) + b"\n")


def mixed(first: Format | None, *lines: str | bytes, directive: str | None = None) -> pl.DataFrame:
    frame = read_mixed(block(*lines), Reading(directive=directive), first, ALL)
    assert frame.schema == PARSED_SCHEMA
    assert frame["line"].is_sorted()
    assert frame["line"].is_unique().all()
    return frame


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_told_from_all_others(name: str) -> None:
    for line in SAMPLES[name]:
        found = detect_format([line.encode()])
        assert (found.format, found.confidence) == (name, 1.0)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_detected_reads_as_the_format_itself(name: str) -> None:
    for line in SAMPLES[name]:
        own = FORMATS[name].parse(block(line), Reading())
        assert mixed(None, line).equals(own)


@pytest.mark.parametrize(
    ("lines", "name", "confidence", "second"),
    [
        ([COMBINED] * 3 + ["junk"], "combined", 0.75, None),
        ([COMBINED] * 5 + [COMMON] * 4, "combined", 5 / 9, "common"),
        ([HOSTED] * 10 + [COMBINED], "vhost_combined", 10 / 11, "combined"),
        ([HOSTED] + [COMBINED] * 9, "combined", 1.0, "vhost_combined"),
        ([JSON] * 2 + [COMBINED] * 8, "combined", 0.8, "json"),
        ([FIELDS, "2026-11-02 07:00:00 ::1 GET / 200"], "w3c", 1.0, None),
        (["#Version: 1.0", FIELDS], None, 0.0, None),
        (["junk"] * 50, None, 0.0, None),
        ([COMBINED, "junk", "junk"], "combined", 1 / 3, None),
        ([JSON] * 4 + [HOSTED] * 6, "vhost_combined", 0.6, "combined"),
        (["junk"] * 99 + [COMBINED], None, 0.01, "combined"),
        ([], None, 0.0, None),
        (["", " "], None, 0.0, None),
    ],
)
def test_choice_and_confidence(
    lines: list[str], name: str | None, confidence: float, second: str | None
) -> None:
    found = detect_format([line.encode() for line in lines])
    assert found.format == name
    assert found.confidence == pytest.approx(confidence)
    assert [other for other, _ in found.runners_up][:1] == ([second] if second else [])


def test_mixed_formats_are_read_line_by_line() -> None:
    lines = [line for several in SAMPLES.values() for line in [*several, "junk"]]
    frame = mixed(FORMATS["combined"], *lines)
    assert frame["line"].to_list() == [
        number for number, line in enumerate(lines) if line != "junk"
    ]
    assert frame["timestamp"].null_count() == 0


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (first, name)
        for first, family in [("combined", "clf"), ("common", "clf"), ("json", "json")]
        for name in SAMPLES
        if FORMATS[name].family == family and not FORMATS[name].general
    ],
)
def test_a_general_format_leaves_lines_to_those_that_know_more(first: str, name: str) -> None:
    own = FORMATS[name].parse(block(*SAMPLES[name]), Reading())
    assert mixed(FORMATS[first], *SAMPLES[name]).equals(own)
    assert rows(mixed(FORMATS[first], *SAMPLES[name], COMBINED)) == rows(own) + rows(
        FORMATS["combined"]
        .parse(block(COMBINED), Reading())
        .with_columns(line=pl.lit(len(SAMPLES[name]), pl.Int64))
    )


def test_lines_begin_and_end_as_a_format_says() -> None:
    entry = Format("x", "x", FORMATS["json"].parse, FORMATS["json"].claims, b"ab", b"z")
    lines = block("a", "az", "bz\r", "cz", "", "z", "\ufeffaz", "a\r")
    assert likely(lines, entry).tolist() == [False, True, True, False, False, False, True, False]
    assert likely(Lines.of(b""), entry).tolist() == []


def test_the_first_format_keeps_lines_without_a_time_and_others_do_not() -> None:
    timeless = COMBINED.replace("02/Nov/2026:08:00:00 +0100", "soon")
    assert mixed(FORMATS["combined"], timeless).height == 1
    assert mixed(FORMATS["json"], timeless, JSON)["line"].to_list() == [1]


def test_directives_are_no_events_and_change_the_columns_below_them() -> None:
    lines = ["#Version: 1.0", FIELDS, "2026-11-02 07:00:00 ::1 GET /a 200", "# a comment"]
    lines += ["#Fields: date time cs-method c-ip", "2026-11-02 07:00:00 GET ::2"]
    found = block(*lines)
    assert directives(found).tolist() == [True, True, False, False, True, False]
    assert last_directive(found) == "#Fields: date time cs-method c-ip"
    assert last_directive(block(COMBINED)) is None
    assert mixed(FORMATS["w3c"], *lines)["client"].to_list() == ["::1", "::2"]
    below = mixed(FORMATS["w3c"], lines[-1], directive=last_directive(found))
    assert below["client"].to_list() == ["::2"]


@pytest.mark.parametrize(
    "directive",
    ["#Fields:", "#Fields: a b c", "#Fields: " + "x " * 500, "#Fields: date time c-ip c-ip ((", ""],
)
def test_odd_directives_are_survived(directive: str) -> None:
    assert mixed(FORMATS["w3c"], JSON, directive=directive).height == 1


CUT = st.sampled_from(EVERY_LINE).flatmap(
    lambda line: st.tuples(
        st.integers(0, len(line)), st.integers(0, len(line)), st.text(max_size=3)
    ).map(lambda cut: (line[: cut[0]] + cut[2] + line[cut[1] :]).replace("\n", " ").encode())
)
HOSTILE = st.one_of(
    st.sampled_from(EVERY_LINE).map(str.encode),
    CUT,
    st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b" ", b"\r", b"\x00", b"\xff\xfe"]),
)


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(ALL), st.lists(HOSTILE, min_size=1, max_size=8))
def test_no_line_depends_on_its_neighbours(entry: Format, lines: list[bytes]) -> None:
    every = block(*lines)
    every = every.select(~every.blank())
    together = entry.parse(every, Reading())
    assert together.schema == PARSED_SCHEMA
    assert together["line"].is_sorted()
    assert together["line"].is_unique().all()
    alone = [
        entry.parse(block(every[index]), Reading()).with_columns(line=pl.lit(index, pl.Int64))
        for index in range(len(every))
    ]
    expected = pl.concat([pl.DataFrame(schema=PARSED_SCHEMA), *alone])
    assert rows(together) == rows(expected), entry.name


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([None, *ALL]), st.lists(HOSTILE, min_size=1, max_size=8))
def test_mixed_logs_do_not_depend_on_neighbours(first: Format | None, lines: list[bytes]) -> None:
    together = mixed(first, *lines)
    alone = [
        mixed(first, line).with_columns(line=pl.lit(index, pl.Int64))
        for index, line in enumerate(lines)
    ]
    assert rows(together) == rows(pl.concat(alone))


@pytest.mark.parametrize("character", [b" ", b'"', b"\\", b"[", b"{", b",", b"7", b"\t", b"%"])
def test_a_megabyte_of_one_character_is_refused(character: bytes) -> None:
    line = character * (63 * 1024)
    assert mixed(FORMATS["combined"], *[line] * 16).height == 0
