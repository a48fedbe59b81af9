"""Quarantine: counts add up, any cut gives the same groups, nothing secret is kept."""

import hashlib
import json
from itertools import pairwise
from typing import get_args
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.lines import Lines
from ingest.masked_lines import LINE_LIMIT
from ingest.quarantine import (
    GROUPS_KEPT,
    OTHER,
    REASONS,
    SHAPES_KEPT,
    UNSEEN,
    Quarantine,
    QuarantineGroup,
    Reason,
)
from ingest.quarantine_group import RANGES_KEPT, SAMPLES_KEPT

SIGNS = '-+*:.!?#/&%@_~^$|,;=()"'


def lines_of(*texts: str) -> Lines:
    return Lines.of("".join(text + "\n" for text in texts).encode())


def filled(*texts: str, reason: Reason = "unparsed") -> list[QuarantineGroup]:
    lines = lines_of(*texts)
    quarantine = Quarantine()
    quarantine.add("p", reason, lines.starts, lines)
    return quarantine.groups()


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(get_args(Reason))


def test_lines_of_a_kind_are_a_group() -> None:
    first, second = filled("error 1", "error 22", "a, b", "error 333")
    assert (first.shape, first.count) == ("error <n>", 3)
    assert (first.first_position, first.last_position) == (0, 22)
    assert first.ranges == ((0, 8), (22, 22))
    assert [sample.position for sample in first.samples] == [0, 8, 22]
    assert [sample.text for sample in first.samples] == ["error 1", "error 22", "error 333"]
    assert first.samples[1].length == 8
    assert first.samples[1].sha256 == hashlib.sha256(b"error 22").hexdigest()
    assert (second.shape, second.count, second.ranges) == ("<word>, <word>", 1, ((17, 17),))
    assert not first.more_ranges


def test_positions_alone_are_counted() -> None:
    quarantine = Quarantine()
    quarantine.add("t-0", "poison", [5, 6, 9])
    quarantine.add("t-0", "poison", ())
    quarantine.add("t-0", "poison", np.array([10]))
    (group,) = quarantine.groups()
    assert (group.shape, group.count, group.ranges) == (UNSEEN, 4, ((5, 6), (9, 10)))
    assert group.samples == ()
    assert quarantine.by_reason() == {"poison": 4}
    (row,) = quarantine
    assert row.positions == (5, 6, 9, 10)


def test_offsets_of_a_topic_are_joined_only_if_next_to_each_other() -> None:
    lines = lines_of("x 1", "x 2", "x 3", "x 4")
    quarantine = Quarantine()
    quarantine.add("t-0", "unparsed", [5, 5, 6, 8], lines)
    assert quarantine.groups()[0].ranges == ((5, 6), (8, 8))


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown quarantine reason"):
        Quarantine().add("p", "odd", [1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 positions for 1 lines"):
        Quarantine().add("p", "unparsed", [1, 2], lines_of("x"))


def test_many_shapes_are_bounded() -> None:
    texts = [sign * n for n in range(1, 4) for sign in SIGNS]
    many = [f"{a} {b}" for a in texts for b in texts][: 3 * SHAPES_KEPT]
    groups = filled(*many, reason="partial")
    assert len(groups) == SHAPES_KEPT + 1
    other = groups[0]
    assert other.shape == OTHER
    assert sum(group.count for group in groups) == len(many)
    assert len(other.samples) == SAMPLES_KEPT
    quarantine = Quarantine()
    lines = lines_of(*many)
    for number in range(GROUPS_KEPT // SHAPES_KEPT + 2):
        quarantine.add(f"{number}.log", "partial", lines.starts, lines)
    shaped = [group for group in quarantine.groups() if group.shape != OTHER]
    assert len(shaped) <= GROUPS_KEPT
    assert sum(group.count for group in quarantine.groups()) == quarantine.total


def test_many_places_are_bounded() -> None:
    texts = ["x 1", "a, b"] * (2 * RANGES_KEPT)
    for group in filled(*texts):
        assert len(group.ranges) == RANGES_KEPT
        assert group.more_ranges
        assert group.count == 2 * RANGES_KEPT


def test_only_groups_that_changed_are_told() -> None:
    quarantine = Quarantine()
    lines = lines_of("x 1", "a, b", "x 2")
    assert quarantine.changed() == []
    quarantine.add("p", "unparsed", lines.starts[:2], lines.select(np.array([0, 1])))
    assert len(quarantine.changed()) == 2
    quarantine.add("p", "unparsed", lines.starts[2:], lines.select(np.array([2])))
    (changed,) = quarantine.changed()
    assert (changed.shape, changed.count) == ("<word> <n>", 2)
    assert quarantine.changed() == []


def test_a_group_is_what_it_was_when_asked() -> None:
    quarantine = Quarantine()
    lines = lines_of("x 1", "x 2")
    quarantine.add("p", "unparsed", lines.starts[:1], lines.select(np.array([0])))
    (before,) = quarantine.groups()
    quarantine.add("p", "unparsed", lines.starts[1:], lines.select(np.array([1])))
    assert before.count == 1
    assert len(before.samples) == 1


def test_samples_are_masked_and_cut() -> None:
    token = "Canary9X2kQ7mZ4vT1bN8cR5wL"
    (group,) = filled("é" * (LINE_LIMIT // 2 - 1) + f" é password={token} " + "b" * 99)
    (sample,) = group.samples
    assert len(sample.text.encode()) <= LINE_LIMIT
    assert token[:5] not in sample.text
    assert sample.length > LINE_LIMIT
    (group,) = filled(f"bad line: password={token}")
    assert group.samples[0].text == "bad line: password=***"


def test_bytes_that_are_not_text_are_shown_as_such() -> None:
    lines = Lines.of(b"\xff\xfe 1\nok 1\n")
    quarantine = Quarantine()
    quarantine.add("p", "not_text", lines.starts, lines)
    (group,) = quarantine.groups()
    assert [sample.text for sample in group.samples] == [r"\xff\xfe 1", "ok 1"]


TEXTS = st.sampled_from(
    ["error 1", "a, b", '{"a": 1}', '{"b": 2, "a": 1}', "x", "--", "é ü", "1.2.3.4 -", '{"t"', "="]
)
REASON = st.sampled_from(["unparsed", "no_time", "not_text"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, REASON, st.booleans()), min_size=1, max_size=30), st.data())
def test_any_cut_gives_the_same_groups(
    rows: list[tuple[str, Reason, bool]], data: st.DataObject
) -> None:
    """The flag says which lines are rejects; the others are what could be read."""
    lines = lines_of(*(text for text, _, _ in rows))
    whole, cut = Quarantine(), Quarantine()
    places = sorted(data.draw(st.sets(st.integers(0, len(rows)))) | {0, len(rows)})
    with patch("ingest.quarantine_group.suggestion", bytes.decode):  # trying all formats is slow
        add(whole, rows, lines, 0, len(rows))
        for start, end in pairwise(places):
            add(cut, rows, lines, start, end)
    assert cut.groups() == whole.groups()
    assert list(cut) == list(whole)
    groups = whole.groups()
    assert sum(group.count for group in groups) == whole.total == sum(r for _, _, r in rows)
    positions = dict(zip(lines.starts.tolist(), rows, strict=True))
    for group in groups:
        inside = [
            at for at in positions if any(first <= at <= last for first, last in group.ranges)
        ]
        assert len(inside) == group.count
        assert all(positions[at][1] == group.reason and positions[at][2] for at in inside)
        assert (inside[0], inside[-1]) == (group.first_position, group.last_position)
        assert [sample.position for sample in group.samples] == inside[:SAMPLES_KEPT]


def add(
    quarantine: Quarantine,
    rows: list[tuple[str, Reason, bool]],
    lines: Lines,
    start: int,
    end: int,
) -> None:
    for reason in REASONS:
        chosen = [n for n in range(start, end) if rows[n][2] and rows[n][1] == reason]
        some = lines.select(np.array(chosen, dtype=np.int64))
        quarantine.add("p", reason, some.starts, some)


def test_suggestions_name_a_format_or_fields() -> None:
    record = {
        "when": "2026-11-02T08:00:00Z",
        "net": {"peer": {"addr": "203.0.113.7"}},
        "target": "/x?y=1",
        "http": {"code": 200},
    }
    (group,) = filled(json.dumps(record), json.dumps(record), reason="no_time")
    assert group.suggestion == (
        'format = "json"\n'
        'mapping = { timestamp = "when", client_ip = "net.peer.addr", uri = "target",'
        ' status = "http.code" }'
    )
    line = '203.0.113.7 - - [02/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"'
    assert filled(line)[0].suggestion == 'format = "combined"'
    assert filled(line, reason="future")[0].suggestion is None
    assert filled("nothing at all")[0].suggestion is None
