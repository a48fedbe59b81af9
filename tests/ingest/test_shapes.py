"""Shapes: lines of one kind share one, and nothing that a line says is in it."""

import json
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.shapes import KEYS_SHOWN, SHAPE_LIMIT, WORDS, shapes

CANARIES = [
    "canary-7f3a9c2e41d05b68a1c4e7f20b9d3856",
    "Canary9X2kQ7mZ4vT1bN8cR5wL",
    "sk_live_51CanaryH8s7Kd2Lq9Zx3Vb6Nm0Pt4",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
    "AKIACANARY7EXAMPLE42",
    "canary.person@example.com",
    "hunter2",
]


def shape(line: str) -> str:
    return str(shapes(pl.Series([line]))[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '203.0.113.7 - - [02/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5',
            '<ip> - - [<time>] "<text>" <n> <n>',
        ),
        (
            '2001:db8::1 - bob [02/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 -',
            '<ip> - <word> [<time>] "<text>" <n> -',
        ),
        ("2026-11-02T08:00:00.123Z INFO [main] started in 33ms", "<time> INFO [<word>] <text>"),
        ("Nov  2 08:00:00 web nginx[33]: up", "<time> <text>[<n>]: <word>"),
        (
            'time=2026-11-02T08:00:00+01:00 level=info msg="he \\"x" n=3',
            '<word>=<time> <word>=info <word>="<text>" <word>=<n>',
        ),
        ("GET /x/33?y=abc HTTP/1.1 200", "GET <path>=<word> HTTP/<n> <n>"),
        ('"never closed', '"<text>"'),
        ("--- ### ...", "--- ### ..."),
        ("\x1b[31mred\x07", "<word>[<word>"),
        ("", ""),
        ('{"b": 1, "a": {"c": "x\\"y", "d": [1, "]"]}}', "{a, b, c, d}"),
        ('  {"time": "unfinished', "{time, ..."),
        ('{"with blank": 1, "ok": 2}', "{<key>, ok}"),
        ("{}", "{}"),
    ],
)
def test_shapes_of_lines(line: str, expected: str) -> None:
    assert shape(line) == expected


def test_lines_of_one_kind_share_a_shape() -> None:
    lines = [
        f'203.0.{n}.7 - - [02/Nov/2026:08:00:{n:02} +0000] "GET /{"a" * n} HTTP/1.1" 200 {n} '
        f'"-" "agent/{"x" * n * 20}" 0.{n}'
        for n in range(50)
    ]
    lines += [json.dumps({"n": n, "text": "x" * n * 10, "list": [n] * n}) for n in range(50)]
    assert shapes(pl.Series(lines)).n_unique() == 2


@pytest.mark.parametrize("canary", CANARIES)
def test_no_secret_is_in_a_shape(canary: str) -> None:
    lines = [
        canary,
        f"GET /{canary}?{canary}={canary}",
        f"{canary} - {canary} [{canary}] {canary}",
        f'"{canary}',
        f"<{canary}> [{canary}]",
        json.dumps({"token": canary, "x": [canary], "y": {"z": canary}}),
        f'{{"x": "{canary}',
        f"{{{canary}: {canary}}}",
    ]
    if canary != "hunter2":  # a name of a field, if it looks like one, is no secret
        lines += [json.dumps({canary: 1}), json.dumps({"a": {canary: {canary: 1}}})]
    for line in lines:
        assert not re.search("canary|hunter|eyJ", shape(line), re.IGNORECASE), line


def test_long_ones_are_cut() -> None:
    keys = json.dumps({f"key_{'x' * 20}_{chr(97 + n)}": n for n in range(26)})
    few = json.dumps({f"k{chr(97 + n)}": n for n in range(26)})
    for line in ("a,1;" * 1000, keys, few):
        assert len(shape(line)) <= SHAPE_LIMIT
        assert "..." in shape(line)
    assert shape(few).count(",") == KEYS_SHOWN


def test_a_shape_is_the_same_alone_and_among_others() -> None:
    lines = ['{"a": 1}', "x y 1", "", '{"b": "{', "1.2.3.4 z"]
    assert shapes(pl.Series(lines)).to_list() == [shape(line) for line in lines]


LINES = st.one_of(
    st.text(alphabet='{}[]",:\\ab1.-/ <>=é\x00\x1b|;GETinfo', max_size=60),
    st.text(max_size=40).map(lambda text: text.replace("\n", " ")),
    st.recursive(
        st.one_of(st.integers(), st.text(max_size=8), st.none()),
        lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ).map(json.dumps),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=8))
def test_any_lines_have_shapes_of_known_words(lines: list[str]) -> None:
    found = shapes(pl.Series(lines, dtype=pl.String)).to_list()
    assert len(found) == len(lines)
    for line, known in zip(lines, found, strict=True):
        assert known.isascii()
        assert known.isprintable()
        assert len(known) <= SHAPE_LIMIT
        if line.lstrip().startswith("{"):
            continue
        words = re.findall(r"[A-Za-z0-9]+", re.sub("<(text|n|ip|time|word|path)>", "", known))
        assert all(word.upper() in WORDS for word in words)


@pytest.mark.parametrize("char", list('{}[]",:\\a1.-/ <>=é\x00'))
def test_one_character_many_times(char: str) -> None:
    assert len(shape(char * 1_000_000)) <= SHAPE_LIMIT
    assert len(shape("{" + char * 1_000_000)) <= SHAPE_LIMIT
