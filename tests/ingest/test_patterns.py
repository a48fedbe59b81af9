"""Patterns: format strings of nginx, Apache and Envoy, and lines that such servers write."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import PATTERNS, FormatError, combined, common, compile_pattern
from ingest.formats.parsed import PARSED_SCHEMA, Reading
from ingest.lines import Lines

TIME = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)
LOCAL = "02/Nov/2026:08:00:00 +0100"
COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
APACHE = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


def parse(kind: str, pattern: str, *lines: str, timezone: str = "UTC") -> list[dict[str, Any]]:
    block = Lines.of("\n".join(lines).encode() + b"\n")
    frame = compile_pattern(kind, pattern).parse(block, Reading(timezone=timezone))
    assert frame.schema == PARSED_SCHEMA
    return frame.to_dicts()


NGINX: list[tuple[str, str, dict[str, Any]]] = [
    (
        '$remote_addr [$time_local] "$request_method $request_uri $server_protocol" $status',
        f'203.0.113.7 [{LOCAL}] "GET /a b"c?d=e HTTP/1.1" 400',
        {"method": "GET", "path": '/a b"c', "query": "d=e", "protocol": "HTTP/1.1", "status": 400},
    ),
    (
        "$remote_addr [$time_local] $request_uri $upstream_addr $upstream_status $status",
        f"203.0.113.7 [{LOCAL}] /a 10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80 502, 502 : 200 200",
        {"path": "/a", "status": 200},
    ),
    (
        COMBINED + " $request_time",
        f'203.0.113.7 - alice [{LOCAL}] "GET /a?b=c HTTP/1.1" 200 512 "-" "curl/8" 0.250',
        {
            "timestamp": TIME,
            "client": "203.0.113.7",
            "user": "alice",
            "method": "GET",
            "path": "/a",
            "query": "b=c",
            "status": 200,
            "response_bytes": 512,
            "referrer": None,
            "user_agent": "curl/8",
            "duration_us": 250_000,
        },
    ),
    (
        (
            "log_format api escape=json '$msec|$remote_addr|${http_x_forwarded_for}|'\n"
            "                           '$request_method|$scheme://$host$request_uri|$status';"
        ),
        "1793602800.000|10.0.0.1|198.51.100.1, 10.0.0.9|POST|https://shop.example/a?b|201",
        {
            "timestamp": TIME,
            "client": "10.0.0.1",
            "forwarded_for": "198.51.100.1, 10.0.0.9",
            "method": "POST",
            "scheme": "https",
            "host": "shop.example",
            "path": "/a",
            "query": "b",
            "status": 201,
        },
    ),
    (
        (
            '$time_iso8601 $http_cf_connecting_ip $remote_addr "$request_method $uri$is_args$args '
            '$server_protocol" $status $request_id "$http_x_api_key" $ssl_protocol'
        ),
        '2026-11-02T08:00:00+01:00 2001:db8::9 10.0.0.1 "GET /a?b=c HTTP/2.0" 200 f00 "k" TLSv1.3',
        {
            "timestamp": TIME,
            "connecting_ip": "2001:db8::9",
            "client": "10.0.0.1",
            "method": "GET",
            "path": "/a",
            "query": "b=c",
            "protocol": "HTTP/2.0",
            "request_id": "f00",
            "api_key": "k",
        },
    ),
    (
        (
            "$remote_addr [$time_local] $status $upstream_addr $upstream_status $request_time "
            '"$request"'
        ),
        f'203.0.113.7 [{LOCAL}] 502 10.0.0.1:80, 10.0.0.2:80 504, 502 0.301 "GET / HTTP/1.1"',
        {"status": 502, "duration_us": 301_000, "path": "/"},
    ),
    (
        '$remote_addr [$time_local] $status $upstream_response_time $request_time "$request"',
        f'203.0.113.7 [{LOCAL}] 200 0.100 : 0.200 0.301 "GET / HTTP/1.1"',
        {"status": 200, "duration_us": 301_000},
    ),
    (
        "[$time_local] $remote_addr $request_time $status $http_referer $http_user_agent",
        f"[{LOCAL}] 203.0.113.7 0.041 207 - Mozilla/5.0 (X11; Linux) a b",
        {"user_agent": "Mozilla/5.0 (X11; Linux) a b", "status": 207, "duration_us": 41_000},
    ),
    (
        "$time_local\t$remote_addr\t$request\t$status\t$http_user_agent\t$server_port",
        f"{LOCAL}\t203.0.113.7\tGET /a b HTTP/1.1\t400\tMozilla/5.0 (X11)\t443",
        {"path": "/a b", "user_agent": "Mozilla/5.0 (X11)", "status": 400},
    ),
    (
        (
            '{"t":"$time_iso8601","ip":"$remote_addr","st":$status,"http":{"m":"$request_method",'
            '"u":"$request_uri"},"took":$request_time,"ua":"$http_user_agent","x":"a $host b"}'
        ),
        (
            '{"t":"2026-11-02T08:00:00+01:00","ip":"203.0.113.7","st":404,"http":{"m":"GET",'
            '"u":"/a?b"},"took":0.5,"ua":"a \\"b\\"","x":""}'
        ),
        {
            "timestamp": TIME,
            "client": "203.0.113.7",
            "status": 404,
            "method": "GET",
            "path": "/a",
            "query": "b",
            "duration_us": 500_000,
            "user_agent": 'a "b"',
        },
    ),
    (
        '{"t":"$time_iso8601", "ip":"$remote_addr", "st":"$status", tail $request_length}',
        '{"t":"2026-11-02T08:00:00+01:00", "ip":"203.0.113.7", "st":"404", tail 31}',
        {"timestamp": TIME, "status": 404, "request_bytes": 31},
    ),
]

APACHE_LINES: list[tuple[str, str, dict[str, Any]]] = [
    (
        APACHE + " %D",
        f'203.0.113.7 - alice [{LOCAL}] "GET /a?b HTTP/1.1" 200 - "-" "curl/8" 250000',
        {
            "timestamp": TIME.replace(microsecond=250_000),
            "client": "203.0.113.7",
            "user": "alice",
            "path": "/a",
            "query": "b",
            "response_bytes": None,
            "duration_us": 250_000,
        },
    ),
    (
        (
            'LogFormat "%{end:usec}t %a %{c}a %v:%p \\"%m %U%q %H\\" %s %>s %O %I %{ms}T '
            '%{X-Forwarded-For}i %{UNIQUE_ID}e %{SSL_PROTOCOL}x %X %k %L" wide'
        ),
        (
            '1793602800000000 203.0.113.7 10.0.0.1 www.example:443 "GET /a?b HTTP/1.1" 302 200 640 '
            "310 12 198.51.100.1, 10.0.0.1 Zx@9 TLSv1.3 + 0 -"
        ),
        {
            "timestamp": TIME,
            "client": "203.0.113.7",
            "host": "www.example",
            "method": "GET",
            "path": "/a",
            "query": "b",
            "protocol": "HTTP/1.1",
            "status": 200,
            "response_bytes": 640,
            "request_bytes": 310,
            "duration_us": 12_000,
            "forwarded_for": "198.51.100.1, 10.0.0.1",
            "request_id": "Zx@9",
        },
    ),
    (
        '%h [%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t] "%r" %>s',
        '203.0.113.7 [02/Nov/2026 08:00:00.125 +0100] "GET / HTTP/1.1" 200',
        {"timestamp": TIME.replace(microsecond=125_000), "status": 200},
    ),
    (
        '%{%Y-%m-%d %H:%M:%S}t %h "%r" %>s %T',
        '2026-11-02 07:00:00 host.example "GET / HTTP/1.1" 200 2',
        {"timestamp": TIME.replace(second=2), "client": "host.example"},
    ),
    ('%{sec}t %a "%r" %>s', '1793602800 ::1 "-" 408', {"timestamp": TIME, "method": None}),
    ("%t %400,501{User-agent}i %a %>s", f"[{LOCAL}] - 203.0.113.7 200", {"user_agent": None}),
    ('%t 100%% %a "%{Host}i" %>s', f'[{LOCAL}] 100% ::1 "a.example" 200', {"host": "a.example"}),
]

ENVOY: list[tuple[str, str, dict[str, Any]]] = [
    (
        (
            '[%START_TIME%] %DOWNSTREAM_REMOTE_ADDRESS% "%REQ(:METHOD):10% '
            '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %BYTES_RECEIVED% '
            '%BYTES_SENT% %DURATION% "%REQ(USER-AGENT)%" %REQ(X-REQUEST-ID)% '
            "%DYNAMIC_METADATA(envoy.lb:a)% %UPSTREAM_CLUSTER%\\n"
        ),
        (
            '[2026-11-02T07:00:00.000Z] 203.0.113.7:51234 "GET /a?b HTTP/2" 200 0 512 250 "curl/8" '
            "f00 - out"
        ),
        {
            "timestamp": TIME.replace(microsecond=250_000),
            "client": "203.0.113.7:51234",
            "method": "GET",
            "path": "/a",
            "query": "b",
            "protocol": "HTTP/2",
            "status": 200,
            "request_bytes": 0,
            "response_bytes": 512,
            "duration_us": 250_000,
            "user_agent": "curl/8",
            "request_id": "f00",
        },
    ),
    (
        '%START_TIME(%Y/%m/%dT%H:%M:%S.%3f%z)% "%REQ(X-FORWARDED-FOR)%" %RESPONSE_CODE%',
        '2026/11/02T08:00:00.500+0100 "198.51.100.1,203.0.113.7" 503',
        {"timestamp": TIME.replace(microsecond=500_000), "client": "198.51.100.1,203.0.113.7"},
    ),
    (
        '{"start":"%START_TIME%","code":"%RESPONSE_CODE%","path":"%REQ(:PATH)%"}',
        '{"code":200,"path":"/a?b","start":"2026-11-02T07:00:00Z"}',
        {"timestamp": TIME, "status": 200, "path": "/a", "query": "b"},
    ),
]

CASES = [
    pytest.param(kind, *case, id=f"{kind}-{number}")
    for kind, cases in (("nginx", NGINX), ("apache", APACHE_LINES), ("envoy", ENVOY))
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("kind", "pattern", "line", "expected"), CASES)
def test_pattern(kind: str, pattern: str, line: str, expected: dict[str, Any]) -> None:
    (row,) = parse(kind, pattern, line)
    assert {name: row[name] for name in expected} == expected
    assert parse(kind, pattern, "junk", line, line)[1] == {**row, "line": 2}


TIMED = COMBINED + " $request_time $http_x_request_id"
HEAD = f'203.0.113.7 - - [{LOCAL}] "GET / HTTP/1.1" 200 5 '


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (HEAD + '"-" "a "b" c" 0.5 f00', {"user_agent": 'a "b" c', "duration_us": 500_000}),
        (HEAD + '"-" "a \\"b\\" c" 0.5 f00', {"user_agent": 'a "b" c', "request_id": "f00"}),
        (HEAD + '"-" "a" 0.5 f00 more "fields" here', {"user_agent": "a", "request_id": "f00"}),
        (HEAD + '"-" "a" 0.5', {"user_agent": "a", "duration_us": 500_000, "request_id": None}),
        (HEAD + '"-" "a"', {"user_agent": "a", "duration_us": None}),
        (HEAD.rstrip(), {"status": 200, "user_agent": None}),
        ("  " + HEAD + '"-" "a" 0.5 f00', {"user_agent": "a"}),
        (HEAD + '"-" "a" - -', {"duration_us": None, "request_id": None}),
        (
            f'203.0.113.7 - John Doe [{LOCAL}] "GET / HTTP/1.1" 200 5 "-" "a" 0.5 f00',
            {"user": "John Doe"},
        ),
        (
            f'203.0.113.7 - - [{LOCAL}] "\\x16\\x03" 400 0 "-" "-" 0.0 f00',
            {"request_raw": "\\x16\\x03", "path": None},
        ),
    ],
)
def test_odd_lines(line: str, expected: dict[str, Any]) -> None:
    (row,) = parse("nginx", TIMED, line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "line", ["junk", "", " ", HEAD[:40], "x" + HEAD, HEAD.replace("200", "twohundred")]
)
def test_other_lines_are_not_read(line: str) -> None:
    assert parse("nginx", TIMED, line + "\n" + "junk") == []


def test_times_without_a_zone_have_the_reading_s() -> None:
    pattern, line = '%{%F %T}t %h "%r" %>s', '2026-11-02 08:00:00 ::1 "GET / HTTP/1.1" 200'
    (row,) = parse("apache", pattern, line, timezone="Europe/Berlin")
    assert row["timestamp"] == TIME


@pytest.mark.parametrize(
    ("kind", "pattern", "entry"),
    [
        ("nginx", COMBINED, combined.FORMAT),
        ("nginx", f"log_format combined '{COMBINED}';", combined.FORMAT),
        ("nginx", COMBINED + ' "$http_x_forwarded_for"', combined.FORMAT),
        ("apache", APACHE, combined.FORMAT),
        ("apache", 'LogFormat "' + APACHE.replace('"', '\\"') + '" combined', combined.FORMAT),
        ("apache", '%h %l %u %t "%r" %>s %b', common.FORMAT),
    ],
)
def test_usual_patterns_take_the_fast_path(kind: str, pattern: str, entry: object) -> None:
    assert compile_pattern(kind, pattern) is entry


@pytest.mark.parametrize(
    ("kind", "pattern", "said"),
    [
        ("nginx", "$time_local $status$request_time", r"\$status is followed by \$request_time"),
        ("nginx", "$status $request", "no time"),
        ("nginx", "$time_local", "nothing but a time"),
        ("nginx", "plain text", "no variable"),
        ("nginx", "  ", "empty"),
        ("nginx", "log_format x '$status $msec", "quote is missing"),
        ("nginx", '{"status":"$status"}', "no name of the object holds just a time"),
        ("nginx", "$msec " * 2000, "longer"),
        ("apache", "%h %t %", "ends with a %"),
        ("apache", "%t %-%h", "begins no directive"),
        ("apache", "%h %{%Q}t %r", "%Q"),
        ("apache", 'LogFormat "%h %t', "LogFormat cannot be read"),
        ("envoy", "%START_TIME% %nothing", "begins no operator"),
        ("envoy", "%START_TIME(%Q)% %RESPONSE_CODE%", "%Q"),
        ("iis", "date time", "there are no patterns of kind 'iis'"),
    ],
)
def test_refused(kind: str, pattern: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        compile_pattern(kind, pattern)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PATTERNS),
    st.lists(
        st.one_of(
            st.sampled_from(["$msec", "$status", "${request}", "%t", "%>s", '"', " ", "%{", "'"]),
            st.sampled_from(
                ["%START_TIME%", "%RESP(A)%", "%{%F}t", "%h", "$uri", "$args", "{", "}"]
            ),
            st.text(max_size=4),
        ),
        max_size=12,
    ),
    st.text(max_size=40).map(lambda text: text.replace("\n", " ")),
)
def test_any_pattern_is_compiled_or_refused(kind: str, parts: list[str], line: str) -> None:
    try:
        entry = compile_pattern(kind, "".join(parts))
    except FormatError:
        return
    assert entry.parse(Lines.of(line.encode() + b"\n"), Reading()).schema == PARSED_SCHEMA
