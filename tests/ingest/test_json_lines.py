"""JSON lines: whatever a line holds, it costs itself only, and what it gives is its own."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.json_keys import Screen
from ingest.formats.json_lines import json_format
from ingest.formats.json_mending import DEPTH_LIMIT, depth, mended
from ingest.formats.json_names import DEFAULT_NAMES
from ingest.formats.parsed import Format, Reading
from ingest.formats.registry import FORMATS
from ingest.lines import Lines

TIME = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)
GOOD = '{"time":1793602800,"path":"/p","user":"u"}'

#: As servers and attackers write them: well-formed, odd, broken.
LINES = [
    GOOD,
    '{"time": 1793602800, "path": "/spaced", "status": 200}',
    '  {"time":1793602800,"path":"/indented"} \t\r',
    '\ufeff{"time":1793602800,"path":"/bom"}',
    '{"@timestamp":"2026-11-02T07:00:00.5Z","http":{"request":{"method":"get"}},"url.path":"/e"}',
    '{"time":1,"request":{"method":"GET","uri":"/c?d","headers":{"User-Agent":["a","b"]}}}',
    '{"time":1,"request":"GET /r HTTP/1.1","user":{"name":"alice"},"user_agent":"{{7*7}}"}',
    '{"time":1,"path":"/x","user":{"domain":"d"},"host":{"name":"node"},"client":"203.0.113.7"}',
    '{"time":1,"path":"/x","user":["a"],"host":[],"client":{"ip":"203.0.113.7"}}',
    '{"time":1,"path":"/\\x16\\x03","user_agent":"raw\ttab"}',
    '{"time":1,"path":"/d","status":NaN,"bytes":1e999,"size":-,"user":}',
    '{"time":1,"path":"/a","path":"/b","\\u0070ath":"/c"}',
    '{"\\u0070ath":"/escaped","time" :1}',
    '{"path"  :"/late colon","time":1}',
    '{"time":1,"path":"/lone\\ud800half","n":123456789012345678901234567890}',
    '{"time":1,"path":"/deep","x":' + "[" * 150 + "]" * 150 + "}",
    '{"time":1,"path":"/too deep","x":' + "[" * 250 + "]" * 250 + "}",
    '{"time":1,"path":"/brackets' + "[{" * 150 + '"}',
    '{"level":"info","message":"no request","time":1793602800}',
    '{"time":1,"path":"/p"}{"time":1}',
    '{"time":1,"path":"/open',
    '{"time":1,"path":"/p",}',
    '["time",1]',
    "{}",
    "{",
    "}",
    "{}}",
    '{"a":{]}',
    '"x"',
    "nothing",
]
BYTES = [line.encode() for line in LINES] + [
    b'{"time":1,"path":"/\xff\xfe","user":"\xc3\xa9"}',
    b'{"time":1,"path":"/p"\xff}',
    b"\xff\xfe{}",
    b'{"time":1,\x00"path":"/p"}',
    b'{"time":1,"path":"/nul\x00"}',
]

#: Places in BYTES of what is no request, or no JSON whatever is mended.
REFUSED = {16, *range(18, len(LINES)), len(LINES) + 1, len(LINES) + 2, len(LINES) + 3}


def parse(lines: list[bytes], entry: Format = FORMATS["json"]) -> list[dict[str, Any]]:
    block = Lines.of(b"".join(line + b"\n" for line in lines))
    return entry.parse(block, Reading()).to_dicts()


def one(line: str | bytes, entry: Format = FORMATS["json"]) -> dict[str, Any]:
    (row,) = parse([line if isinstance(line, bytes) else line.encode()], entry)
    return row


def test_each_line_gives_the_same_alone_and_among_all_others() -> None:
    alone = [{**row, "line": at} for at, line in enumerate(BYTES) for row in parse([line])]
    assert parse(BYTES) == alone
    assert {row["line"] for row in alone} == set(range(len(BYTES))) - REFUSED


@st.composite
def _broken(draw: st.DrawFn) -> bytes:
    """Draw a line of BYTES with a few bytes changed."""
    line = bytearray(draw(st.sampled_from(BYTES)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(line) - 1, 0)))
        line[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b":", b",", b"0", b"\xff", b" ", b"-"])
        )
    return bytes(line)


@settings(max_examples=150, deadline=None)
@given(st.lists(_broken(), min_size=1, max_size=12))
def test_what_a_line_gives_does_not_depend_on_its_neighbours(lines: list[bytes]) -> None:
    together = parse(lines)
    alone = [{**row, "line": at} for at, line in enumerate(lines) for row in parse([line])]
    assert together == alone


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["status", "user", "x", "é", 'q"', "http"]), _VALUES))
def test_any_object_with_a_path_is_a_request(fields: dict[str, Any]) -> None:
    row = one(json.dumps({"path": "/p", **fields}))
    assert row["path"] == "/p"
    if isinstance(user := fields.get("user"), str) and user not in {"", "-", "null", "[]", "{}"}:
        expected = "".join("\x00" if "\ud800" <= letter <= "\udfff" else letter for letter in user)
        assert row["user"] == expected


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DEFAULT_NAMES["client_ip"])), _VALUES, max_size=3))
def test_keys_that_occur_are_found(fields: dict[str, Any]) -> None:
    for text in (json.dumps(fields), json.dumps(fields, separators=(",", ":")), f" {fields}"):
        keys = Screen.of(text.encode()).keys([*fields, "absent"])
        for name, value in fields.items():
            if text.startswith("{"):
                kinds: dict[type, frozenset[str]] = {dict: keys.objects, list: keys.lists}
                assert name in kinds.get(type(value), keys.scalars)


_LOOKALIKES = ("user", "remote_user", "e_remote_user", "r", "er", "", "address", "ip_address")
_ROWS = st.dictionaries(st.sampled_from(_LOOKALIKES), st.text('"u:,r', max_size=3), max_size=4)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(_ROWS, min_size=1, max_size=2), times=st.integers(1, 3), odd=_ROWS)
def test_a_key_is_found_among_lines_that_repeat_others(
    rows: list[dict[str, str]], times: int, odd: dict[str, str]
) -> None:
    lines = [json.dumps(row, separators=(",", ":")) for row in [*(rows * times), odd, *rows]]
    keys = Screen.of("\n".join(lines).encode()).keys(_LOOKALIKES)
    assert {name for row in [*rows, odd] for name in row} <= keys.scalars


def test_keys_are_found_across_the_pieces_of_a_block() -> None:
    for filler in range(40):
        line = b'{"x":"' + b"y" * ((1 << 20) - filler) + b'","client_address":{"ip":["a"]}}\n'
        keys = Screen.of(line * 2).keys(["client_address", "ip", "address", "time"])
        found = [set(names) for names in (keys.objects, keys.lists, keys.scalars)]
        assert found == [{"client_address"}, {"ip"}, set()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"path":"/a","user":"{\\"x\\":1}"}', {"user": '{"x":1}'}),
        ('{"path":"/a","user":{"x":1}}', {"user": None}),
        ('{"path":"/a","user":{"name":"n"},"user_id":7}', {"user": "n"}),
        ('{"path":"/a","url":{"query":"q"},"url.query":"flat"}', {"query": "flat"}),
        ('{"path":"/a","http":{"response.status_code":204}}', {"status": 204}),
        ('{"path":"/a","http.response":{"status_code":205}}', {"status": 205}),
        ('{"path":"/a","path":"/b"}', {"path": "/a"}),
        ('{"uri":"https://U:p@Shop.example:8443/a?b=1"}', {"host": "Shop.example:8443"}),
        ('{"uri":"https://shop.example/a?b=1"}', {"scheme": "https", "path": "/a", "query": "b=1"}),
        ('{"uri":"\\u0016\\u0003"}', {"request_raw": "\x16\x03", "path": None}),
        ('{"uri":"x","method":"GET"}', {"request_raw": None, "path": None, "method": "GET"}),
        ('{"method":"-","status":"-","path":"-","request":"x"}', {"method": None, "path": None}),
        ('{"path":"/\\x16","status":200}', {"path": "/\\x16"}),
        (b'{"path":"/\xff","status":200}', {"path": "/\\xff"}),
        ('{"path":"/a\tb","status":-,"bytes":,"size":NaN}', {"path": "/a\tb", "status": None}),
        ('{"path":"/a","bytes":1e999,"status":2e2}', {"response_bytes": None, "status": 200}),
        ('{"path":"/a","bytes":9007199254740992}', {"response_bytes": 2**53}),
        ('{"path":"/a","server_protocol":"1.1"}', {"protocol": "HTTP/1.1"}),
    ],
)
def test_what_is_made_of_values(line: str | bytes, expected: dict[str, Any]) -> None:
    row = one(line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        '{"level":"info","message":"started","time":"2026-11-02T07:00:00Z"}',
        '{"time":"2026-11-02T07:00:00Z","status":"ok","user":"alice"}',
        '{"time":"2026-11-02T07:00:00Z","path":"relative"}',
        "{}",
    ],
)
def test_an_object_that_is_no_request_has_no_row(line: str) -> None:
    assert parse([GOOD.encode(), line.encode()]) == parse([GOOD.encode()])


def test_mending_leaves_what_can_be_read_as_it_is() -> None:
    for line in BYTES:
        found = mended(line)
        if found is not None:
            assert isinstance(json.loads(found), dict)
            assert mended(found) == found


def test_depth_does_not_count_what_strings_hold() -> None:
    strings = '{"x":"' + "[" * 300 + '"}'
    assert depth(strings) == 1
    assert depth("[" * 300 + "]" * 300) == 300
    assert one('{"path":"/' + "[" * 300 + '"}')["path"] == "/" + "[" * 300
    nested = '{"path":"/p","x":' + "[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT + "}"
    assert parse([nested.encode()]) == []


@pytest.mark.parametrize(
    "unit", ['{"a":', "[", '"', "\\", "{", "}", " ", ":", ':"', "\\u0041", "x"]
)
def test_long_repetitions_end_soon(unit: str) -> None:
    """A pattern that took quadratic time would take minutes here."""
    for around in ("{%s}", '{"path":"/p","x":"%s"}', '{"path":"/p","x":%s}'):
        line = (around % (unit * (400_000 // len(unit)))).encode()
        rows = parse([line, GOOD.encode(), line + b"\xff}"])
        assert any(row["line"] == 1 for row in rows)


def test_many_broken_lines_among_good_ones() -> None:
    lines = [GOOD.encode(), b'{"time":1,"path":"/b",}', b'{"path":"/\\x"}', b"text"] * 400
    assert [row["line"] % 4 for row in parse(lines)] == [0, 2] * 400


def test_a_declared_format_takes_lines_with_all_its_markers_only() -> None:
    entry = json_format("x", "X", {"path": ["p"], "timestamp": ["t"]}, ["m", "n.o"])
    lines = ['{"p":"/1","m":1,"n":{"o":2}}', '{"p":"/2","m":1,"n.o":null}', '{"p":"/3","m":1}']
    assert [row["path"] for row in parse([line.encode() for line in lines], entry)] == ["/1"]
    assert parse([lines[2].encode()], entry) == []
    mapped = entry.parse(Lines.of(lines[0].encode()), Reading({"user": "m"})).to_dicts()
    assert mapped[0]["user"] == "1"


def test_a_format_of_unknown_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="x: unknown columns: nonsense"):
        json_format("x", "X", {"nonsense": ["a"]})


def test_times_with_fractions_are_read_by_themselves() -> None:
    texts = ["07:00:00.5Z", "07:00:00.123456789Z", "08:00:00,25+01:00", "07:00:00.1", "25:00:00.1Z"]
    lines = [json.dumps({"path": "/p", "time": f"2026-11-02T{text}"}).encode() for text in texts]
    times = [row["timestamp"] for row in parse(lines)]
    micros = [500_000, 123_456, 250_000, 100_000]
    assert times == [*(TIME.replace(microsecond=micro) for micro in micros), None]
    assert times == [parse([line])[0]["timestamp"] for line in lines]


def test_items_of_a_list() -> None:
    entry = json_format("x", "X", {"path": ["p"], "forwarded_for": ["h.f.*"], "user": ["h.f.0"]})
    rows = [
        one(line, entry)
        for line in (
            '{"p":"/","h":{"f":["a","b"]}}',
            '{"p":"/","h":{"f":"a"}}',
            '{"p":"/","h":{"f":[]}}',
        )
    ]
    assert [(row["forwarded_for"], row["user"]) for row in rows] == [
        ("a, b", "a"),
        (None, None),
        (None, None),
    ]


def test_parsed_frames_have_their_types_when_nothing_was_read() -> None:
    frame = FORMATS["json"].parse(Lines.of(b""), Reading())
    assert frame.height == 0
    assert frame.schema["timestamp"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("\\ud800", "\\ud800"),
        ("\\udc00\\ud83d", "\\udc00\\ud83d"),
        ("a\\uDFFFb", "a\\uDFFFb"),
        ("\\uD83D\\uDC00", "\U0001f400"),
        ("\\\\ud800", "\\ud800"),
        ("\\ud83d\\ud83d\\udc00", "\\ud83d\U0001f400"),
    ],
)
def test_half_of_a_surrogate_pair_stays_visible(written: str, read: str) -> None:
    """Seen to fail without the halves being mended: such lines hid what they asked for."""
    assert one('{"time":1,"path":"/p","user":"%s"}' % written)["user"] == read  # noqa: UP031


def test_numbers_beyond_all_range_are_none() -> None:
    (row,) = parse([b'{"time":1,"path":"/p","user":"u","status":200,"bytes":' + b"9" * 60 + b"}"])
    assert (row["user"], row["response_bytes"]) == ("u", None)
