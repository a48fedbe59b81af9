"""CSV: the exact bytes, and no cell that a spreadsheet takes for a formula."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.exports.csv_cells import COLUMNS, cell
from alerts.exports.written import exported
from tests.alerts.exports.incidents import detail, finding

HEADER = (
    b'"id","severity","status","resolution","assignee","labels","entity_type","entity",'
    b'"member_count","started_at","last_at","stages","services","detectors","tags","countries",'
    b'"asns","parent_id","merged_into","summary"\r\n'
)


def written(*, assignee: str | None = None, labels: tuple[str, ...] = (), entity: str = "a") -> str:
    given = detail(finding(entity_type="user", entity=entity), assignee=assignee, labels=labels)
    return "".join(exported([given], "csv"))


def test_exact_bytes() -> None:
    assert "".join(exported([detail()], "csv")).encode() == HEADER + (
        b'"7","medium","open","","","","client","203.0.113.7","1","2026-11-02T08:00:00Z",'
        b'"2026-11-02T08:00:40Z","reconnaissance","shop","missing_path_scan",'
        b'"attack.reconnaissance attack.t1595.003","DE","64496","","",'
        b'"Client 203.0.113.7: 30 distinct missing paths within 10 min (limit 10), from 08:00:00'
        b' to 08:00:40 UTC."\r\n'
    )


def test_a_hostile_entity_label_and_assignee() -> None:
    text = written(
        entity='=HYPERLINK("http://evil.example";"x")',
        assignee="@SUM(1+9)*cmd|' /C calc'!A0",
        labels=("+1", "-2+3"),
    ).encode()
    assert b'"\'=HYPERLINK(""http://evil.example"";""x"")"' in text
    assert b"\"'@SUM(1+9)*cmd|' /C calc'!A0\"" in text
    assert b"\"'+1 '-2+3\"" in text
    assert b"\"User '" not in text  # the summary begins with a word of ours
    assert text.startswith(HEADER)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("=1+1", b'"\'=1+1"'),
        ("+1", b'"\'+1"'),
        ("-1", b'"\'-1"'),
        ("@A1", b'"\'@A1"'),
        ("  =1", b'"\'  =1"'),
        ("\t=1", b'"\\x09=1"'),
        ("\r=1", b'"\\x0d=1"'),
        ("a\n=1", b'"a\\x0a=1"'),
        ("a;=1", b'"a;\'=1"'),
        ("a, @x", b'"a,\' @x"'),
        ("a|+1", b'"a|\'+1"'),
        ('x"=1', b'"x""\'=1"'),
        ('x","=1', b'"x"",""\'=1"'),
        ("x'=1", b"\"x''=1\""),
        ("\uff1d1+1", '"\'\uff1d1+1"'.encode()),
        ("\uff0b1", '"\'\uff0b1"'.encode()),
        ("\uff0d1", '"\'\uff0d1"'.encode()),
        ("\uff20A1", '"\'\uff20A1"'.encode()),
        ("a\uff1b=1", '"a\uff1b\'=1"'.encode()),
        ("\u22121", '"\'\u22121"'.encode()),
        ("\u200b=1", b'"\\u200b=1"'),
        ("\x1b[2J", b'"\\x1b[2J"'),
        ("GET /a-b?c=d 200", b'"GET /a-b?c=d 200"'),
        ("2026-11-02T08:00:00Z", b'"2026-11-02T08:00:00Z"'),
        ("2001:db8::1", b'"2001:db8::1"'),
    ],
)
def test_cells(text: str, bytes_: bytes) -> None:
    assert cell(text).encode() == bytes_


HOSTILE = st.text(
    alphabet=st.sampled_from(list("=+-@\t\r\n ,;|\"'a1\uff1d\uff0b\uff0d\uff20\uff1b\u200b")),
    max_size=12,
)


@settings(max_examples=300)
@given(st.lists(HOSTILE, min_size=1, max_size=4), st.sampled_from(list(",;|\t")))
def test_no_cell_begins_a_formula_whatever_the_separator(values: list[str], separator: str) -> None:
    line = ",".join(map(cell, values))
    assert "\n" not in line
    for row in csv.reader(io.StringIO(line), delimiter=separator):
        for read in row:
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", read), (line, read)
    for read in line.split(separator):  # a reader that knows no quotes
        assert not re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", read), (line, read)


def test_what_is_read_is_what_was_written() -> None:
    rows = list(csv.reader(io.StringIO(written(entity='a "b", c'), newline="")))
    assert rows[0] == list(COLUMNS)
    assert rows[1][COLUMNS.index("entity")] == 'a "b", c'
