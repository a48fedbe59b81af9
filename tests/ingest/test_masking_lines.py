"""Lines that are kept: nothing of a secret stays, however the line was cut."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.masked_lines import LINE_LIMIT, masked_line

SECRETS = [
    "password=hunter2hunter2",
    "Authorization: Bearer hunter2hunter2",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2hunter2",
    "jane.hunter2@hunter2.example.com",
    "https://bob:hunter2@example.com/",
    '"token": "hunter2 hunter2"',
]


def test_a_line_is_masked_and_described() -> None:
    line = b"GET /a?token=hunter2 nonsense"
    found = masked_line(line)
    assert found.text == "GET /a?token=*** nonsense"
    assert found.length == len(line)
    assert found.sha256 == hashlib.sha256(line).hexdigest()
    assert masked_line(b"").text == ""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"the password is hunter2", "the password is ***"),
        (b"wrong api key 'hunter2' of bob", "wrong api key '***' of bob"),
        (b"password reset", "password reset"),
        (b"/a/0123456789abcdef/b", "/a/***/b"),
        (b"/a/abcdefghijklmnop/b", "/a/***/b"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        ("password=hunter2".encode("utf-16-le"), "password=***"),
    ],
)
def test_lines_are_masked_more_strictly(line: bytes, text: str) -> None:
    assert masked_line(line).text == text


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SECRETS),
    st.one_of(st.integers(4000, 4200), st.integers(16_100, 16_500), st.integers(0, 40_000)),
    st.sampled_from(["x ", "é ", "a=1&", "password=x "]),
    st.integers(0, 20_000),
)
def test_no_half_of_a_secret_stays(secret: str, at: int, filler: str, rest: int) -> None:
    before = (filler * at)[:at]
    line = f"{before} {secret} {(filler * rest)[:rest]}".encode()
    found = masked_line(line)
    assert "hunter" not in found.text
    assert "jane" not in found.text
    assert len(found.text.encode()) <= LINE_LIMIT
    assert found.text.endswith("...") or len(line) <= 16_384


@settings(deadline=None)
@given(st.binary(max_size=200).map(lambda data: data * 100))
def test_any_bytes_become_text(data: bytes) -> None:
    found = masked_line(data)
    assert len(found.text.encode()) <= LINE_LIMIT
    assert found.length == len(data)


def test_a_line_cut_in_a_character_stays_text() -> None:
    for size in range(4090, 4100):
        text = masked_line(b"x" + "é ".encode() * size).text
        assert "\\x" not in text.removesuffix("...")[-8:]
        assert len(text.encode()) <= LINE_LIMIT


@pytest.mark.parametrize(
    "character", ["a", "0", "@", "%", "=", '"', "\\", "<", " ", "-", "é", "A@"]
)
def test_a_megabyte_of_anything_is_taken(character: str) -> None:
    found = masked_line((character * 1_000_000).encode())
    assert len(found.text.encode()) <= LINE_LIMIT
