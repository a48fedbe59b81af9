"""Lines out of syslog, containers and shippers; native access logs stay as they are."""

import json
import tomllib
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.formats import FORMATS
from ingest.formats.json_names import DEFAULT_NAMES
from ingest.formats.parsed import Reading
from ingest.lines import Lines
from ingest.wrappers import WRAPPERS, Unwrapped, holds_many, unwrap
from ingest.wrappers.envelopes import DOCKER_PART, PAYLOAD_FIELDS, REQUEST_FIELDS
from ingest.wrappers.ignored import checked_pattern, ignored

LINE: Final = (
    '203.0.113.7 - alice [02/Nov/2026:08:00:00 +0000] "GET /api/items/7 HTTP/1.1" 200 512 '
    '"https://shop.example/" "Mozilla/5.0 (X11; \\"Linux\\")"'
)
CATALOGUE: Final = Path(__file__).parents[2] / "ingest" / "formats" / "catalogue"
NATIVE: Final[dict[str, Any]] = {"time": "2026-11-02T08:00:00Z", "remote_addr": "203.0.113.7"}


def opened(*lines: str | bytes) -> Unwrapped:
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return unwrap(Lines.of(b"\n".join(raw)))


def payloads(unwrapped: Unwrapped) -> list[str]:
    return list(unwrapped.lines.decoded())


def labels(unwrapped: Unwrapped) -> list[tuple[Any, ...]] | None:
    return None if unwrapped.labels is None else unwrapped.labels.rows()


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def docker(line: str) -> str:
    return compact({"log": line + "\n", "stream": "stdout", "time": "2026-11-02T08:00:00.1Z"})


def cri(line: str, tag: str = "F") -> str:
    return f"2026-11-02T08:00:00.123456789Z stdout {tag} {line}"


def otlp(bodies: list[Any], attributes: dict[str, str] | None = None) -> str:
    pairs = [
        {"key": key, "value": {"stringValue": text}} for key, text in (attributes or {}).items()
    ]
    records = [{"observedTimeUnixNano": "1793606400000000000", "body": body} for body in bodies]
    scope = {"scope": {}, "logRecords": records}
    return compact({"resourceLogs": [{"resource": {"attributes": pairs}, "scopeLogs": [scope]}]})


def body(line: str) -> dict[str, str]:
    return {"stringValue": line}


@pytest.mark.parametrize(
    "head",
    [
        "<190>Nov  2 08:00:00 web1 nginx: ",
        "<190>Nov  2 08:00:00 nginx: ",
        "Nov 12 08:00:00 web1 nginx[123]: ",
        "Nov 12 08:00:00 2001:db8::1 nginx[123]: ",
        "<190>Nov  2 2026 08:00:00 web1 nginx: ",
        "2026-11-02T08:00:00.123456+01:00 web1 nginx[123]: ",
        "<30>2026-11-02T08:00:00Z web1 docker/4f1a[99]:  ",
        "<190>1 2026-11-02T08:00:00.123456Z web1 nginx 123 - - ",
        "<190>1 - - - - - - ",
        '<190>1 2026-11-02T08:00:00Z web1 nginx - ID47 [a@32473 b="c \\"]\\" d"][e@1] ',
        "<190>1 2026-11-02T08:00:00Z web1 nginx - - - \ufeff",
        "2026-11-02T08:00:00.123456789Z stdout F ",
        "2026-11-02T08:00:00.123456789+01:00 stderr F:x ",
    ],
)
def test_prefix_is_taken_off(head: str) -> None:
    found = opened(head + LINE, LINE)
    assert payloads(found) == [LINE, LINE]
    assert found.origin.tolist() == [0, 1]
    assert labels(found) is None


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        'Nov  2 08:00:00 {"time": 1, "status": 200}',
        "Nov  2 08:00:00 web1 203.0.113.7 - -",
        "2026-11-02T08:00:00+00:00 203.0.113.7 GET /api/items",
        "2026-11-02 08:00:00 203.0.113.7 GET /api/items - 443 -",
        "<190>1 2026-11-02T08:00:00Z web1 nginx 123",
        "<script>alert(1)</script>",
        "Nov  2 08:00:00 lb 10.0.0.1:5000 [02/Nov/2026:08:00:00.123] front",
        "2026-11-02T08:00:00Z stdout X line",
        "",
        "<",
        "{",
        '{"log":',
        '{"resourceLogs":[',
        "[]",
    ],
)
def test_other_lines_pass(line: str) -> None:
    lines = Lines.of(line.encode() + b"\n")
    assert unwrap(lines).lines is lines
    assert payloads(opened(line, cri("x"))) == [line, "x"]


@pytest.mark.parametrize(
    ("envelope", "service", "environment"),
    [
        ({"log": LINE + "\n", "stream": "stdout", "time": "2026-11-02T08:00:00.1Z"}, None, None),
        ({"@timestamp": 1793606400.1, "log": LINE}, None, None),
        (
            {
                "date": 1793606400.1,
                "message": LINE,
                "kubernetes": {
                    "namespace_name": "production",
                    "labels": {"app": "web", "app.kubernetes.io/name": "shop"},
                    "container_name": "nginx",
                },
            },
            "shop",
            "production",
        ),
        (
            {
                "message": LINE,
                "source_type": "kubernetes_logs",
                "host": "node-1",
                "kubernetes": {
                    "pod_labels": {"app": "shop", "env": "staging"},
                    "pod_namespace": "team-a",
                },
            },
            "shop",
            "staging",
        ),
        (
            {
                "@timestamp": "2026-11-02T08:00:00.000Z",
                "@metadata": {"beat": "filebeat"},
                "message": LINE,
                "log": {"offset": 0, "file": {"path": "/var/log/nginx/access.log"}},
                "host": {"name": "web1"},
                "agent": {"type": "filebeat"},
                "fields": {"service": "shop", "environment": "production"},
            },
            "shop",
            "production",
        ),
        (
            {
                "message": LINE,
                "service": {"name": "shop", "environment": "production"},
                "kubernetes": {"namespace": "other", "container": {"name": "nginx"}},
            },
            "shop",
            "production",
        ),
        ({"MESSAGE": LINE, "_HOSTNAME": "web1", "CONTAINER_NAME": "shop"}, "shop", None),
        ({"msg": " " + LINE, "rawmsg": "<190>...", "hostname": "web1"}, None, None),
        ({"message": LINE, "container_name": "/shop", "status": "info"}, "shop", None),
        ({"message": LINE, "service.name": "shop", "deployment.environment": "dev"}, "shop", "dev"),
        ({"message": LINE, "label": {"com.docker.compose.service": "shop"}}, "shop", None),
    ],
)
def test_envelope_is_opened(
    envelope: dict[str, Any], service: str | None, environment: str | None
) -> None:
    found = opened(compact(envelope))
    assert payloads(found) == [LINE]
    said = [(service, environment)] if service or environment else None
    assert labels(found) == said


@pytest.mark.parametrize("payload", PAYLOAD_FIELDS)
@pytest.mark.parametrize("name", REQUEST_FIELDS)
def test_native_access_log_is_no_envelope(name: str, payload: str) -> None:
    line = compact({**NATIVE, payload: "GET / 200", name: 200})
    lines = Lines.of(line.encode())
    assert unwrap(lines).lines is lines


def test_the_same_fields_further_inside_are_nothing() -> None:
    inside: dict[str, Any] = {"labels": {"status": "1", "method": "x"}, "request": {"uri": 1}}
    assert payloads(opened(compact({"log": LINE, "kubernetes": inside, "k": '"request"'}))) == [
        LINE
    ]


@pytest.mark.parametrize(
    "line",
    [
        # Caddy, Traefik, ECS, OCSF, Google Cloud
        {"level": "info", "msg": "handled request", "request": {"method": "GET"}, "status": 200},
        {"ClientHost": "203.0.113.7", "RequestMethod": "GET", "msg": "", "level": "info"},
        {"message": LINE, "http": {"request": {"method": "GET"}}, "url": {"path": "/"}},
        {"message": "GET /", "http.request.method": "GET", "url.path": "/"},
        {"message": "GET /", "class_uid": 4002, "http_request": {"http_method": "GET"}},
        {"message": "GET /", "httpRequest": {"requestMethod": "GET"}},
        {"log": {"level": "info"}, "message": "x", "http": {"response": {"status_code": 200}}},
    ],
)
def test_known_native_logs(line: dict[str, Any]) -> None:
    lines = Lines.of(compact(line).encode())
    assert unwrap(lines).lines is lines


def examples() -> list[tuple[str, str]]:
    """The example lines of all declared formats, as far as they are requests."""
    return [
        (file.stem, line)
        for file in sorted(CATALOGUE.glob("*.toml"))
        for example in tomllib.loads(file.read_text(encoding="utf-8")).get("examples", [])
        for line in example["line"].splitlines()
        if line and (example.get("method") or example.get("status"))
    ]


EXAMPLES: Final = examples()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
    assert any(line.startswith("{") for _, line in EXAMPLES)


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_lines_of_known_formats_are_not_wrapped_and_come_out_of_wrappers(
    name: str, line: str
) -> None:
    lines = Lines.of(line.encode())
    assert unwrap(lines).lines is lines
    syslog = "<190>Nov  2 08:00:00 web1 nginx: "
    wrapped = opened(docker(line), cri(line), syslog + line, otlp([body(line)]), compact(line))
    assert payloads(wrapped) == [line] * 5
    if line.startswith("{"):
        more = Lines.of(compact({**json.loads(line), "message": "GET / 200"}).encode())
        assert unwrap(more).lines is more


def test_what_the_json_format_reads_as_a_request_is_never_opened() -> None:
    """So it makes no difference which of the two looks at a line first."""
    names = {
        name.split(".")[0] for key in ("method", "request", "status") for name in DEFAULT_NAMES[key]
    }
    assert names <= set(REQUEST_FIELDS)


def test_a_mapping_makes_further_fields_those_of_a_request() -> None:
    lines = Lines.of(compact({"message": "x", "verb_": "GET"}).encode())
    assert payloads(unwrap(lines)) == ["x"]
    assert unwrap(lines, own=["verb_"]).lines is lines


def test_objects_inside() -> None:
    event = {**NATIVE, "status": 200, "n": 1.5, "nested": {"a": [1, None]}}
    found = opened(compact({"log": compact(event)}), compact({"message": event}))
    assert [json.loads(text) for text in payloads(found)] == [event, event]


def test_several_lines_in_one() -> None:
    found = opened(LINE, compact({"message": f"a\r\n\n b\n{LINE}\n", "env": "dev"}), docker(""))
    assert payloads(found) == [LINE, "a", " b", LINE, ""]
    assert found.origin.tolist() == [0, 1, 1, 1, 2]
    assert labels(found) == [(None, None), *[(None, "dev")] * 3, (None, None)]
    assert payloads(opened(compact({"log": '{\n "a": 1\n}'}))) == ['{  "a": 1 }']


def test_blanks_in_front_are_the_lines_own() -> None:
    trace = "    at shop.Database"
    syslog = "<190>Nov  2 08:00:00 web1 nginx: "
    found = opened(docker(trace), cri(trace), compact({"message": " " + LINE}), syslog + trace)
    assert payloads(found) == [trace, trace, LINE, trace]


def test_parts_of_lines_are_counted() -> None:
    long = compact({"log": "x" * DOCKER_PART, "stream": "stdout", "time": "2026-11-02T08:00:00Z"})
    short = compact({"log": "x", "stream": "stdout", "time": "2026-11-02T08:00:00Z"})
    found = opened(cri("half", "P"), cri(LINE), long, short, docker(cri("p", "P")))
    assert payloads(found) == [LINE, "x"]
    assert found.origin.tolist() == [1, 3]
    assert found.partial.tolist() == [0, 2, 4]


def test_opentelemetry() -> None:
    kept = {"kvlistValue": {"values": [{"key": "status", "value": {"intValue": "200"}}]}}
    listed = {
        "kvlistValue": {"values": [{"key": "l", "value": {"arrayValue": {"values": [body("a")]}}}]}
    }
    found = opened(
        otlp([body(LINE), body("b\n"), kept, listed, {}], {"service.name": "shop"}),
        LINE,
        otlp([]),
        otlp(
            [body(LINE)],
            {"k8s.namespace.name": "team-a", "k8s.container.name": "nginx", "other": "x"},
        ),
        otlp([{"intValue": "5"}], {"deployment.environment.name": "dev"}),
    )
    assert payloads(found) == [LINE, "b", '{"status": "200"}', '{"l": ["a"]}', LINE, "", LINE, "5"]
    assert found.origin.tolist() == [0, 0, 0, 0, 1, 2, 3, 4]
    said = labels(found)
    assert said is not None
    assert said[:4] == [("shop", None)] * 4
    assert said[4:] == [(None, None), (None, None), ("nginx", "team-a"), (None, "dev")]


def test_records_that_hold_many_lines_are_known() -> None:
    lines = Lines.of("\n".join([LINE, otlp([]), docker(LINE), '{"resourceLogsX"']).encode())
    assert holds_many(lines).tolist() == [False, True, False, False]


def test_a_record_nested_deeply_is_left_alone() -> None:
    deep = '{"kvlistValue":{"values":[{"key":"a","value":' * 240 + "1" + "}]}}" * 240
    line = otlp([body("DEEP")]).replace('{"stringValue":"DEEP"}', deep)
    assert len(payloads(opened(line))) == 1


def test_layers() -> None:
    syslog = f"<190>Nov  2 08:00:00 web1 nginx: {LINE}"
    found = opened(
        docker(syslog),
        compact({"message": cri(syslog), "env": "dev"}),
        compact(
            {
                "message": compact({"message": LINE, "service": "shop"}),
                "service": "outer",
                "env": "dev",
            }
        ),
        otlp([body(docker(LINE)), body(cri(LINE))]),
        docker(docker(docker(docker(LINE)))),
        "<190>Nov  2 08:00:00 web1 app: @cee: " + compact({"message": LINE}),
    )
    assert payloads(found) == [LINE] * 5 + [docker(LINE), LINE]
    assert found.origin.tolist() == [0, 1, 2, 3, 3, 4, 5]
    said = labels(found)
    assert said is not None
    assert said[1:3] == [(None, "dev"), ("shop", "dev")]


def test_a_line_as_json_text() -> None:
    quoted = json.dumps(LINE).replace("/", "\\u002f")
    broken = '"' + LINE.replace('"', '\\"').replace("X11", "\\x16") + '"'
    lines = [quoted, broken, '"a" "b"', '"a","line":"b"', '"', '""']
    assert payloads(opened(*lines)) == [LINE, *lines[1:5], ""]


def test_journald_writes_odd_bytes_as_numbers() -> None:
    found = opened(compact({"MESSAGE": list(b"GET \x1b[1m\xff")}), compact({"MESSAGE": [1, 999]}))
    assert payloads(found)[0] == "GET \x1b[1m\\xff"


def test_an_empty_line_left_out_is_missed() -> None:
    lines = Lines.of(b"\n" + LINE.encode())
    assert lines.whole
    chosen = lines.select(np.array([1]))
    assert not chosen.whole
    assert chosen.joined() == LINE.encode()


def test_bytes_that_are_no_text() -> None:
    found = opened(cri("").encode() + b"a\xffb", b'{"log":"a\xffb"}', b"\xff\x00")
    assert [found.lines[number] for number in range(3)] == [
        b"a\xffb",
        b'{"log":"a\xffb"}',  # not JSON
        b"\xff\x00",
    ]


SAMPLES: Final = (
    LINE,
    cri(LINE),
    cri("half", "P"),
    docker(LINE),
    docker(cri(LINE)),
    docker(""),
    compact({"message": "a\nb", "kubernetes": {"labels": {"app": "x"}}, "env": "y"}),
    compact({"message": LINE, "status": 200}),
    compact({"message": LINE, "k": {"status": 200}}),
    '{"message": "\\ud800"}',
    '{"m\\u0065ssage": "x"}',
    '{"message": 1e999, "x": NaN}',
    '{"message": ' + "1" * 5000 + "}",
    '{"message": ' + "[" * 990 + "]" * 990 + "}",
    '{"message": "x"} {"message": "y"}',
    '{"message": "x", "message": "y"}',
    '{"message": nul}',
    '{"message": "unfinished',
    "{}",
    otlp([body(LINE), body(docker(LINE))], {"service.name": "s"}),
    otlp([]),
    '{"resourceLogs": 5}',
    '{"resourceLogs":[5,{"resource":7,"scopeLogs":[null,{"logRecords":[{"body":3}]}]}]}',
    f"<190>Nov  2 08:00:00 web1 nginx: {LINE}",
    "<190>1 - - - - - - x",
    '"a \\u003c b"',
    '{"message":"x","service":"{\\"name\\":\\"\\\\ud800\\"}"}',
    otlp([body("HALF")], {"service.name": "HALF"}).replace("HALF", "\\ud800"),
    '"a \\x16 b"',
    '"a","line":"b"',
    "\x00\x01",
)


def outcome(unwrapped: Unwrapped, index: int) -> tuple[Any, ...]:
    """What became of one input line."""
    where = np.flatnonzero(unwrapped.origin == index)
    said = unwrapped.labels
    named = [(None, None)] * len(where) if said is None else said[where].rows()
    texts = [unwrapped.lines[int(number)] for number in where]
    return texts, named, int((unwrapped.partial == index).sum())


pieces = st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4).map("".join)
noise = st.text(st.characters(blacklist_characters="\n", codec="utf-8"), max_size=40)
damaged = st.builds(
    lambda text, cut, junk: text[:cut] + junk + text[cut:],
    st.sampled_from(SAMPLES),
    st.integers(0, 200),
    st.one_of(noise, st.sampled_from(list('{}[]"\\:,<> '))),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(SAMPLES), pieces, noise, damaged), min_size=1, max_size=9)
)
@example(list(SAMPLES))
def test_a_line_becomes_the_same_among_any_others(texts: list[str]) -> None:
    together = opened(*(text.encode() for text in texts))
    lines = Lines.of("\n".join(texts).encode())
    assert (np.diff(together.origin) >= 0).all()
    assert set(together.origin.tolist()) | set(together.partial.tolist()) == set(range(len(lines)))
    assert together.lines.joined().rstrip(b"\n").count(b"\n") <= max(len(together.lines) - 1, 0)
    for index in range(len(lines)):
        alone = unwrap(Lines.of(lines[index] + b"\n"))
        assert outcome(together, index) == outcome(alone, 0)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    lines = Lines.of(data)
    found = unwrap(lines)
    assert set(found.origin.tolist()) | set(found.partial.tolist()) == set(range(len(lines)))


@pytest.mark.parametrize("head", ["", '{"log":"', "<1>", '{"message":', '<1>1 - - - - - [a b="'])
@pytest.mark.parametrize("character", ["{", "<", "[", '"', "\\", " ", "a", "2", "\x00"])
def test_a_megabyte_of_one_character(head: str, character: str) -> None:
    assert len(opened(head + character * (1 << 20)).lines) == 1


def test_formats_read_what_comes_out() -> None:
    found = opened(LINE, docker(LINE), cri(LINE), compact({"message": LINE, "service": "shop"}))
    parsed = FORMATS["combined"].parse(found.lines, Reading())
    assert parsed["line"].to_list() == [0, 1, 2, 3]
    assert parsed.drop("line").unique().height == 1


def test_registry_names_its_wrappers() -> None:
    assert list(WRAPPERS) == [wrapper.name for wrapper in WRAPPERS.values()]


def test_ignored_lines() -> None:
    lines = Lines.of(f"DEBUG a\n{LINE}\n INFO DEBUG\n".encode() + b"\xff\n")
    assert ignored(lines, []).tolist() == [False] * 4
    assert ignored(lines, ["^DEBUG"]).tolist() == [True, False, False, False]
    assert ignored(lines, ["^DEBUG", r"^\s*INFO ", r"^\\xff$"]).tolist() == [
        True,
        False,
        True,
        True,
    ]
    assert ignored(lines.select(np.array([], dtype=np.int64)), ["x"]).tolist() == []


@pytest.mark.parametrize("pattern", ["", "(", r"(?=a)", "a{1000}{1000}{1000}", "x" * 2000])
def test_patterns_that_cannot_be_meant_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        checked_pattern(pattern)
    assert checked_pattern("^DEBUG") == "^DEBUG"
