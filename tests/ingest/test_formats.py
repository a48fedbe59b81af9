"""Formats: lines as they occur in the wild, one by one and mixed."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import FORMATS
from ingest.formats.detection import detect_format
from ingest.formats.parsed import PARSED_SCHEMA, Reading
from ingest.lines import Lines

START = "203.0.113.7 - - [02/Nov/2026:08:00:00 +0100] "
END = ' "https://example.com/" "curl/8.5.0"'
TIME = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)


def parse(name: str, *lines: str | bytes, **mapping: str) -> list[dict[str, Any]]:
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    frame = FORMATS[name].parse(Lines.of(b"\n".join(raw) + b"\n"), Reading(mapping))
    assert frame.schema == PARSED_SCHEMA
    return frame.to_dicts()


COMBINED: list[tuple[str | bytes, dict[str, Any]]] = [
    (  # nginx writes the name of Basic authentication as it came: the last time is the real one
        START.replace("- - [", "- x [01/Jan/2020:00:00:00 +0000] y [") + '"GET /p HTTP/1.1" 403 7',
        {
            "client": "203.0.113.7",
            "user": "x [01/Jan/2020:00:00:00 +0000] y",
            "path": "/p",
            "status": 403,
            "timestamp": TIME,
        },
    ),
    (
        START + '"GET /a/b?x=1&y=%20 HTTP/1.1" 200 512' + END,
        {
            "timestamp": TIME,
            "client": "203.0.113.7",
            "user": None,
            "method": "GET",
            "path": "/a/b",
            "query": "x=1&y=%20",
            "protocol": "HTTP/1.1",
            "status": 200,
            "response_bytes": 512,
            "referrer": "https://example.com/",
            "user_agent": "curl/8.5.0",
            "duration_us": None,
            "request_raw": None,
        },
    ),
    (START + '"GET / HTTP/1.1" 200 512' + END + " 0.123", {"duration_us": 123_000}),
    (START + '"GET / HTTP/1.1" 200 5' + END + ' 0.5 "-" more="x"', {"duration_us": 500_000}),
    (
        START + '"GET / HTTP/1.1" 200 5' + END + ' "198.51.100.1, 2001:db8::9"',
        {"user_agent": "curl/8.5.0", "forwarded_for": "198.51.100.1, 2001:db8::9"},
    ),
    (START + '"GET / HTTP/1.1" 200 5' + END + ' "10.0.0.1:8080"', {"forwarded_for": None}),
    (START + '"GET / HTTP/1.1" 200 5 "-" "a \\"b\\"" "::1"', {"forwarded_for": "::1"}),
    (START + '"GET / HTTP/1.1" 200 5' + END + ' "-"', {"forwarded_for": None}),
    (START + '"GET / HTTP/1.1" 200 -' + END, {"status": 200, "response_bytes": None}),
    (START + '"GET / HTTP/1.1" 404 196', {"status": 404, "referrer": None, "user_agent": None}),
    (START + '"GET / HTTP/1.1" 404 196 0.250', {"duration_us": 250_000, "referrer": None}),
    (START + '"GET / HTTP/1.1" 200 5 "" ""', {"referrer": None, "user_agent": None}),
    (START + '"GET / HTTP/1.1" 200 5 "-" "-"', {"referrer": None, "user_agent": None}),
    ("  " + START + '"GET / HTTP/1.1" 200 5' + END, {"client": "203.0.113.7", "host": None}),
    (
        '"' + START + '\\"GET /q HTTP/1.1\\" 200 5 \\"-\\" \\"curl\\""',
        {"path": "/q", "user_agent": "curl"},
    ),
    (
        '"' + START + '""GET /q HTTP/1.1"" 200 5 ""-"" ""curl"""',
        {"path": "/q", "user_agent": "curl"},
    ),
    ('"' + START + '"GET /q HTTP/1.1" 200 5 "-" "curl""', {"path": "/q", "user_agent": "curl"}),
    (START + '"GET / HTTP/1.1" 200 5' + END + "\r", {"user_agent": "curl/8.5.0"}),
    (START + '"GET /\\"x\\" HTTP/1.1" 200 5' + END, {"path": '/"x"', "method": "GET"}),
    (START + '"GET / HTTP/1.1" 200 5 "-" "a \\"b\\" c"', {"user_agent": 'a "b" c'}),
    (START + '"GET / HTTP/1.1" 200 5 "-" "a "b" c"', {"user_agent": 'a "b" c', "status": 200}),
    (START + '"GET /a b HTTP/1.1" 400 5' + END, {"path": "/a b", "protocol": "HTTP/1.1"}),
    (START + '"GET /a" 400 5' + END, {"method": "GET", "path": "/a", "protocol": None}),
    (START + '"GET /a?" 400 5' + END, {"path": "/a", "query": None}),
    (START + '"GET /a?b?c=/d HTTP/1.0" 400 5' + END, {"path": "/a", "query": "b?c=/d"}),
    (START + '"OPTIONS * HTTP/1.1" 200 0' + END, {"method": "OPTIONS", "path": "*"}),
    (
        START + '"GET http://u:p@Example.com:80/x?y HTTP/1.1" 200 0' + END,
        {"scheme": "http", "host": "Example.com:80", "path": "/x", "query": "y"},
    ),
    (START + '"GET https://a.example HTTP/1.1" 200 0' + END, {"host": "a.example", "path": "/"}),
    (
        START + '"-" 408 0 "-" "-"',
        {"status": 408, "method": None, "path": None, "request_raw": None},
    ),
    (START + '"" 400 0 "-" "-"', {"status": 400, "method": None, "request_raw": None}),
    (
        START + '"\\x16\\x03\\x01\\x02" 400 226 "-" "-"',
        {"method": None, "path": None, "request_raw": "\\x16\\x03\\x01\\x02"},
    ),
    (
        (START + '"').encode() + b'\x16\x03\xff\x00" 400 226 "-" "-"',
        {"method": None, "path": None, "request_raw": "\x16\x03\\xff\x00"},
    ),
    (START + '"batman" 400 1' + END, {"request_raw": "batman", "path": None}),
    (
        START + '"CONNECT shop.example:443 HTTP/1.1" 405 1' + END,
        {"method": "CONNECT", "host": "shop.example:443", "path": None, "request_raw": None},
    ),
    (START + '"CONNECT [2001:db8::1]:443 HTTP/1.1" 405 1' + END, {"host": "[2001:db8::1]:443"}),
    (START + '"CONNECT /a HTTP/1.1" 405 1' + END, {"method": "CONNECT", "path": "/a"}),
    (START + '"CONNECT a b:1 HTTP/1.1" 405 1' + END, {"method": None, "host": None}),
    (START + '"OPTIONS * HTTP/1.1" 200 1' + END, {"method": "OPTIONS", "path": "*"}),
    (START.replace(":00 ", ":00.123 ") + '"GET / HTTP/1.1" 200 1' + END, {"path": "/"}),
    ("\ufeff" + START + '"GET / HTTP/1.1" 200 1' + END, {"client": "203.0.113.7", "path": "/"}),
    (
        '"198.51.100.1, 10.0.0.9" ' + START + '"GET / HTTP/1.1" 200 1' + END,
        {"client": "203.0.113.7", "forwarded_for": "198.51.100.1, 10.0.0.9"},
    ),
    (
        "198.51.100.1, 10.0.0.9 " + START + '"GET / HTTP/1.1" 200 1' + END,
        {"client": "203.0.113.7", "forwarded_for": "198.51.100.1, 10.0.0.9"},
    ),
    (
        "shop.example:80 unix: - - [02/Nov/2026:08:00:00 +0100] " + '"GET / HTTP/1.1" 200 1' + END,
        {"host": "shop.example", "client": "unix:"},
    ),
    ("web-1  | " + START + '"GET / HTTP/1.1" 200 1' + END, {"client": "203.0.113.7"}),
    (START + '"get /a HTTP/1.1" 400 1' + END, {"method": "get", "path": "/a", "request_raw": None}),
    (START + '"get /a" 400 1' + END, {"request_raw": "get /a", "method": None}),
    (START + '"Hello world HTTP/1.1" 400 1' + END, {"request_raw": "Hello world HTTP/1.1"}),
    (START + '"GET /é HTTP/1.1" 200 1' + END, {"path": "/é"}),
    (
        START.encode() + b'"GET /\xe9 HTTP/1.1" 200 1 "-" "-"',
        {"path": "/\\xe9", "method": "GET", "status": 200},
    ),
    (
        '2001:DB8::1 - alice [02/Nov/2026:08:00:00 +0100] "GET / HTTP/2.0" 200 1 "-" "-"',
        {"client": "2001:DB8::1", "user": "alice", "protocol": "HTTP/2.0"},
    ),
    (
        '203.0.113.9 - John Doe [02/Nov/2026:08:00:00 +0100] "GET / HTTP/2.0" 200 1 "-" "-"',
        {"client": "203.0.113.9", "user": "John Doe"},
    ),
    (
        '10.0.0.1, 203.0.113.9 - - [02/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 1 "-" "-"',
        {"client": "10.0.0.1, 203.0.113.9", "path": "/"},
    ),
    (
        'www.example.com:443 203.0.113.9 - - [02/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 1',
        {"client": "203.0.113.9", "host": "www.example.com"},
    ),
    ("shop.example " + START + '"GET / HTTP/1.1" 200 1' + END, {"host": "shop.example"}),
    (
        "Jul  8 11:07:07 web.internal nginx[2869]: " + START + '"GET /w HTTP/1.1" 200 5' + END,
        {"client": "203.0.113.7", "path": "/w", "timestamp": TIME},
    ),
    (
        '203.0.113.7 - - [2026-11-02T08:00:00+01:00] "GET / HTTP/1.1" 200 1 "-" "-"',
        {"timestamp": TIME},
    ),
    ('203.0.113.7 - - [soon] "GET / HTTP/1.1" 200 1 "-" "-"', {"timestamp": None, "path": "/"}),
    (START + '"GET / HTTP/1.1" - -' + END, {"status": None, "response_bytes": None}),
]

JUNK = ["not a log line", "{", START, '"""', "203.0.113.7 - - [x", '" " " " " "', "\\", "\x00\x01"]


@pytest.mark.parametrize(("line", "expected"), COMBINED)
def test_combined_lines(line: str | bytes, expected: dict[str, Any]) -> None:
    (row,) = parse("combined", line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("line", JUNK)
def test_junk_is_not_parsed(line: str) -> None:
    assert parse("combined", line) == []
    assert parse("json", line) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([line for line, _ in COMBINED]),
            st.sampled_from(JUNK),
            st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_what_a_line_gives_does_not_depend_on_its_neighbours(lines: list[str | bytes]) -> None:
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    block = Lines.of(b"\n".join(raw) + b"\n")
    block = block.select(~block.blank())
    together = FORMATS["combined"].parse(block, Reading())
    alone = [
        FORMATS["combined"]
        .parse(Lines.of(block[index] + b"\n"), Reading())
        .with_columns(line=pl.lit(index, pl.Int64))
        for index in range(len(block))
    ]
    expected = pl.concat([pl.DataFrame(schema=PARSED_SCHEMA), *alone])
    assert together.to_dicts() == expected.to_dicts()


def test_wholly_usual_lines_agree_with_odd_ones() -> None:
    line = START + '"GET /a?b=1 HTTP/1.1" 200 512' + END + " 0.100"
    usual = parse("combined", *[line] * 5)
    mixed = parse("combined", *[line] * 5, '  junk "')
    assert usual == mixed
    assert len(usual) == 5


JSON_LINES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "@timestamp": "2026-11-02T07:00:00.000Z",
            "client": {"ip": "203.0.113.7"},
            "http": {
                "request": {"method": "post", "bytes": 10, "referrer": "https://r.example/"},
                "response": {"status_code": 201, "bytes": 512},
            },
            "url": {"path": "/a", "query": "b=c", "domain": "api.example", "scheme": "https"},
            "user_agent": {"original": "curl/8"},
            "user": {"name": "alice"},
            "service": {"name": "shop", "environment": "prod"},
            "event": {"duration": 1_500_000},
        },
        {
            "timestamp": TIME,
            "client": "203.0.113.7",
            "method": "POST",
            "path": "/a",
            "query": "b=c",
            "host": "api.example",
            "scheme": "https",
            "status": 201,
            "request_bytes": 10,
            "response_bytes": 512,
            "user_agent": "curl/8",
            "user": "alice",
            "service": "shop",
            "environment": "prod",
            "duration_us": 1500,
            "referrer": "https://r.example/",
        },
    ),
    (
        {"@timestamp": "2026-11-02 08:00:00,0 +01:00", "url.path": "/dotted", "client.ip": "::1"},
        {"timestamp": TIME, "path": "/dotted", "client": "::1"},
    ),
    (
        {
            "time_iso8601": "2026-11-02T08:00:00+01:00",
            "remote_addr": "203.0.113.7",
            "request": "GET /x?y=1 HTTP/1.1",
            "status": "404",
            "body_bytes_sent": "12",
            "request_time": "0.250",
            "http_user_agent": "-",
        },
        {
            "timestamp": TIME,
            "method": "GET",
            "path": "/x",
            "query": "y=1",
            "status": 404,
            "response_bytes": 12,
            "duration_us": 250_000,
            "user_agent": None,
        },
    ),
    (
        {
            "ts": TIME.timestamp() + 0.5,
            "request": {
                "remote_ip": "203.0.113.7",
                "method": "GET",
                "uri": "/c?d",
                "headers": {"User-Agent": ["curl/7"]},
                "proto": "HTTP/2.0",
            },
            "status": 200,
            "duration": 0.001,
        },
        {
            "timestamp": TIME.replace(microsecond=500_000),
            "path": "/c",
            "query": "d",
            "user_agent": "curl/7",
            "protocol": "HTTP/2.0",
            "duration_us": 1000,
            "client": "203.0.113.7",
        },
    ),
    (
        {
            "StartUTC": "2026-11-02T06:59:59Z",
            "Duration": 1_000_000_000,
            "ClientHost": "203.0.113.7",
            "RequestPath": "/t",
            "RequestMethod": "GET",
            "DownstreamStatus": 502,
        },
        {"timestamp": TIME, "status": 502, "duration_us": 1_000_000, "path": "/t"},
    ),
    ({"time": 1_793_602_800_000, "status": 200}, {"timestamp": TIME}),
    ({"time": 1_793_602_800_000_000, "status": 200}, {"timestamp": TIME}),
    ({"time": "1793602800", "status": 200}, {"timestamp": TIME}),
    ({"time": "yesterday", "status": 200}, {"timestamp": None, "status": 200}),
    ({"time": 0, "request": "\\x16\\x03"}, {"request_raw": "\\x16\\x03", "path": None}),
    ({"time": 0, "user": '{"broken', "path": "/p"}, {"user": '{"broken', "path": "/p"}),
    (
        {"time": 0, "method": "GET", "status": -1, "bytes": 1e300},
        {"status": None, "response_bytes": None},
    ),
    ({"time": 0, "path": "/p?q=1"}, {"path": "/p", "query": "q=1"}),
]


@pytest.mark.parametrize(("line", "expected"), JSON_LINES)
def test_json_lines(line: dict[str, Any], expected: dict[str, Any]) -> None:
    (row,) = parse("json", json.dumps(line))
    assert {name: row[name] for name in expected} == expected


def test_json_lines_by_a_mapping() -> None:
    line = json.dumps(
        {"when": 1_793_602_800, "net": {"peer": "203.0.113.7"}, "took.ms": 12.5, "code": 200}
    )
    (row,) = parse(
        "json",
        line,
        timestamp="when",
        client_ip="net.peer",
        duration_ms="took.ms",
        status="code",
    )
    assert (row["timestamp"], row["client"], row["duration_us"]) == (TIME, "203.0.113.7", 12_500)


def test_bad_json_among_good_costs_only_itself() -> None:
    good = json.dumps({"time": 1_793_602_800, "path": "/p"})
    bad = ['{"time": 1,', "{]}", '{"a":1}{"b":2}', "[1,2]", '"x"', "5", '{"a":' + "[" * 5000 + "}"]
    lines = [good, *bad, good] * 20
    rows = parse("json", *lines)
    assert [row["line"] for row in rows] == [
        number for number, line in enumerate(lines) if line == good
    ]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([START + '"GET / HTTP/1.1" 200 5' + END], "combined"),
        ([START + '"GET / HTTP/1.1" 200 5'] * 3, "common"),
        ([json.dumps({"time": 1, "path": "/"})], "json"),
        (["junk"] * 5 + [START + '"GET / HTTP/1.1" 200 5' + END] * 5, "combined"),
        (["junk"] * 50, None),
        (["junk"] * 99 + [START + '"GET / HTTP/1.1" 200 5' + END], None),
        ([json.dumps({"hello": "world"})], None),
        ([""], None),
        ([], None),
    ],
)
def test_detection(lines: list[str], name: str | None) -> None:
    assert detect_format([line.encode() for line in lines]).format == name


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        ("12ms", 12_000),
        ("929.675\u00b5s", 930),
        ("929.675us", 930),
        ("1500ns", 2),
        ("0.012 s", 12_000),
        ("1.5s", 1_500_000),
        ("1m2.5s", 62_500_000),
        ("2h0m0.001s", 7_200_001_000),
        ("2h", 7_200_000_000),
        ("0", 0),
        ("0.25", 250_000),
        ("-1", None),
        ("ms", None),
        ("12 bananas", None),
        ("1s2", None),
    ],
)
def test_durations_are_seconds_unless_they_say_their_unit(took: str, expected: int | None) -> None:
    lines = [json.dumps({"ts": 1, "path": "/", "duration": each}) for each in (took, "1", "1s")]
    assert [row["duration_us"] for row in parse("json", *lines)] == [expected, 10**6, 10**6]


@pytest.mark.parametrize(
    ("uri", "host", "path", "query"),
    [
        ("shop.example/a?b=c", "shop.example", "/a", "b=c"),
        ("shop.example:8080/", "shop.example:8080", "/", None),
        ("localhost/a", "localhost", "/a", None),
        ("https://shop.example/a?b=c", "shop.example", "/a", "b=c"),
        ("/shop.example/a", None, "/shop.example/a", None),
        ("shop/a", None, None, None),
        ("shop.example", None, None, None),
    ],
)
def test_targets_with_a_host(
    uri: str, host: str | None, path: str | None, query: str | None
) -> None:
    (row,) = parse("json", json.dumps({"ts": 1, "uri": uri, "status": 200}))
    assert (row["host"], row["path"], row["query"]) == (host, path, query)
    assert row["scheme"] == ("https" if "://" in uri else None)
    assert row["request_raw"] == (uri if path is None else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026/11/02 07:00:00.250", TIME.replace(microsecond=250_000)),
        ("2026/11/02 07:00:00", TIME),
        ("02/NOV/2026:08:00:00 +0100", TIME),
        ("02/Nov/2026:03:30:00 -0330", TIME),
        ("31/Dec/2026:23:59:60 +0000", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_odd_times(text: str, expected: datetime) -> None:
    (row,) = parse("json", json.dumps({"time": text, "path": "/"}))
    assert row["timestamp"] == expected
    if ":" in text[:12]:
        (row,) = parse("combined", f'::1 - - [{text}] "GET / HTTP/1.1" 200 5 "-" "-"')
        assert row["timestamp"] == expected
