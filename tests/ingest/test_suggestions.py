"""Suggestions: they work, and say nothing of the line."""

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import FORMATS, compile_pattern
from ingest.formats.parsed import Reading
from ingest.lines import Lines
from ingest.suggested_mapping import suggested_mapping
from ingest.suggested_pattern import suggested_pattern
from ingest.suggestions import suggestion

TIME = "2026-11-02T08:00:00Z"


def settings_for(line: str) -> dict[str, object]:
    text = suggestion(line.encode())
    assert text is not None
    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("record", "mapping"),
    [
        (
            {"happened": 1793606400, "client_addr": "203.0.113.7:4711", "path": "/a"},
            {"timestamp": "happened", "client_ip": "client_addr"},
        ),
        (
            {"eventTime": TIME, "serverAddr": "10.0.0.1", "callerAddr": "::1", "verb": "GET"},
            {"timestamp": "eventTime", "client_ip": "callerAddr"},
        ),
        (
            {"logged": TIME, "requestLine": "GET /x HTTP/1.1", "respCode": "200", "took_ms": 5},
            {
                "timestamp": "logged",
                "request": "requestLine",
                "status": "respCode",
                "duration_ms": "took_ms",
            },
        ),
    ],
)
def test_a_mapping_from_names_and_values(
    record: dict[str, object], mapping: dict[str, str]
) -> None:
    line = json.dumps(record)
    found = settings_for(line)
    assert found == {"format": "json", "mapping": mapping}
    parsed = FORMATS["json"].parse(Lines.of(line.encode()), Reading(mapping))
    assert parsed["timestamp"][0] is not None


@pytest.mark.parametrize(
    "line",
    [
        '203.0.113.7 - bob [02/Nov/2026:08:00:00 +0000] 0.123 "GET / HTTP/1.1" 200 5 "-" "c/8" xyz',
        f"{TIME}|203.0.113.7|GET|/x?y|200|33|0.003",
        f'{TIME};"GET /x HTTP/1.1";404;"curl/8"',
    ],
)
def test_a_pattern_from_what_parts_look_like(line: str) -> None:
    found = settings_for(line)
    assert found["format"] == "nginx"
    entry = compile_pattern("nginx", str(found["pattern"]))
    parsed = entry.parse(Lines.of(line.encode()), Reading())
    assert parsed["timestamp"][0] is not None
    assert parsed["path"][0] in ("/", "/x")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "no access log line",
        "[]",
        "{}",
        '{"a": 1}',
        '{"time": "never"}',
        '{"when": "2026-11-02T08:00:00Z"}',
        "x" * 70_000,
        f"{TIME} only a time",
        '"GET / HTTP/1.1" only a request',
    ],
)
def test_none_is_better_than_one_that_does_not_help(line: str) -> None:
    assert suggestion(line.encode()) is None


@pytest.mark.parametrize(
    "canary", ["canary-7f3a9c2e41d05b68a1c4e7f20b9d3856", "Canary9X2kQ7mZ4vT1bN8cR5wL"]
)
def test_no_secret_is_in_a_suggestion(canary: str) -> None:
    record = {canary: TIME, "when": TIME, f"ip_{canary}": "1.2.3.4", "target": f"/{canary}"}
    lines = [
        json.dumps(record),
        json.dumps({"when": TIME, canary: {"path": "/x"}, "target": "/y"}),
        f'{TIME};"GET /{canary} HTTP/1.1";404;"{canary}";{canary};{canary}',
    ]
    for line in lines:
        found = suggestion(line.encode())
        assert found is not None
        assert "canary" not in found.lower()


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from([TIME, "1.2.3.4", "/x", "200", "9" * 400, "²", "::1", "GET"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["when", "ip"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=6) | st.sampled_from(["when", "ip"]), VALUES, max_size=5))
def test_any_object(record: dict[str, object]) -> None:
    line = json.dumps(record)
    for column, name in suggested_mapping(line).items():
        assert column.isidentifier()
        assert name.isascii()


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]",:\\ab1.-/ é\x00|;GET"', max_size=60))
def test_any_text(text: str) -> None:
    pattern = suggested_pattern(text)
    assert pattern is None or "$time" in pattern
    assert suggested_mapping(text) is not None
