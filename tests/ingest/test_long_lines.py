"""Long lines that container runtimes cut in parts: joined, or set aside as a whole."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import parts as parts_module
from ingest.lines import LINE_LIMIT, Lines
from ingest.parts import Parts, joined
from ingest.records import Records
from ingest.replay import FileRecords
from ingest.wrappers.envelopes import DOCKER_PART
from tests.ingest.following import Follow, line

TIME = "2026-11-02T12:00:00.123456789Z"
FORGED = line(5).replace("203.0.113.7", "198.51.100.9")


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    follow = Follow(tmp_path)
    yield follow
    follow.end()


def cri(text: str, *, last: bool = True, stream: str = "stdout") -> str:
    return f"{TIME} {stream} {'F' if last else 'P'} {text}\n"


def docker(text: str, *, last: bool = True, stream: str = "stdout") -> str:
    log = text + "\n" if last else text
    return json.dumps({"log": log, "stream": stream, "time": TIME}) + "\n"


def long_line(second: int, size: int) -> str:
    """A request of about so many bytes, without the line's end."""
    return line(second).rstrip("\n").replace("curl/8", "x" * size)


def in_parts(kind: str, text: str) -> list[str]:
    """What the runtime writes of a long line."""
    write = cri if kind == "cri" else docker
    cuts = range(0, len(text), DOCKER_PART)
    pieces = [text[at : at + DOCKER_PART] for at in cuts]
    return [write(piece, last=piece is pieces[-1]) for piece in pieces]


def write(follow: Follow, *lines: str) -> None:
    with follow.log.open("a") as stream:
        stream.writelines(lines)


@pytest.mark.parametrize("kind", ["cri", "docker"])
@pytest.mark.parametrize("restart", range(6))
def test_a_line_in_parts_is_one_event_also_over_a_restart(
    follow: Follow, kind: str, restart: int
) -> None:
    """Failed when positions stayed at the next line instead of going back to the first part."""
    wrap = cri if kind == "cri" else docker
    written = [wrap(line(second).rstrip("\n")) for second in range(4)]
    written += in_parts(kind, long_line(4, 40_000))
    written.insert(5, wrap(line(3).rstrip("\n"), stream="stderr"))
    written += [wrap(line(5).rstrip("\n"))]
    assert len(written) == 9
    follow.begin()
    found = []
    for number, text in enumerate(written):
        write(follow, text)
        found += follow.read()
        if number >= restart:
            follow.begin(positions=follow.positions())
    assert found == [0, 1, 2, 3, 3, 4, 5]
    assert follow.follower is not None
    assert follow.follower.tally.quarantine.total == 0


@pytest.mark.parametrize("kind", ["cri", "docker"])
def test_a_client_cannot_write_a_line_of_somebody_else(follow: Follow, kind: str) -> None:
    """Failed when the last part was read by itself."""
    head = long_line(4, 0)[:60]
    text = head + "/" * (DOCKER_PART - len(head)) + FORGED.rstrip("\n")
    wrap = cri if kind == "cri" else docker
    write(follow, *(wrap(line(second).rstrip("\n")) for second in range(4)))
    write(follow, *in_parts(kind, text))
    follow.begin()
    clients = {
        client for batch in follow.batches() for client in batch.events["client_ip"].to_list()
    }
    assert clients == {"203.0.113.7"}


@pytest.mark.parametrize(
    ("count", "between", "reason"), [(20, 0, "too_long"), (2, 1_100, "partial"), (2, 10, None)]
)
def test_what_cannot_be_joined_is_set_aside_with_its_last_part(
    follow: Follow, count: int, between: int, reason: str | None
) -> None:
    """Failed when a line that was given up was forgotten before its last part came."""
    assert 20 * DOCKER_PART > LINE_LIMIT
    parts = in_parts("cri", "x " * ((count - 1) * DOCKER_PART // 2) + FORGED.rstrip("\n"))
    others = [cri("noise", stream="stderr")] * between
    write(follow, *(cri(line(second).rstrip("\n")) for second in range(4)))
    write(follow, *parts[:-1], *others)
    follow.begin()
    assert follow.read() == [0, 1, 2, 3]
    assert follow.follower is not None
    before = follow.follower.tally.quarantine.by_reason()
    follow.begin(positions=follow.positions())
    write(follow, parts[-1], cri(line(6).rstrip("\n")))
    assert follow.read() == [6]
    counted = follow.follower.tally.quarantine.by_reason()
    assert before.get("unparsed", 0) == between
    assert counted == ({"unparsed": 1} if reason is None else {reason: 1})


def test_a_joined_line_that_was_set_aside_is_found_again(follow: Follow) -> None:
    """Failed when lines were read again without what precedes them."""
    write(follow, *(cri(line(second).rstrip("\n")) for second in range(4)))
    write(follow, *in_parts("cri", "no request " * DOCKER_PART), cri("nor this"))
    follow.begin()
    follow.read()
    assert follow.follower is not None
    groups = follow.follower.tally.quarantine.groups()
    (group,) = groups
    assert (group.reason, group.count) == ("unparsed", 2)
    for ranges in (group.ranges, group.ranges[-1:]):
        samples = [s for s in group.samples if any(a <= s.position <= b for a, b in ranges)]
        found = FileRecords().read(str(follow.log), ranges, samples)
        assert sum(len(records.lines) for records in found) == len(samples)


def test_positions_stay_small(follow: Follow) -> None:
    """What clients wrote is in no checkpoint."""
    write(follow, *(cri(line(second).rstrip("\n")) for second in range(4)))
    write(follow, *in_parts("cri", "secret" * DOCKER_PART)[:-1])
    follow.begin()
    follow.read()
    stored = json.dumps(follow.positions())
    assert "secret" not in stored
    assert len(stored) < 3_000


Event = tuple[str, str, bool]  # stream, text, whether it is the last part

EVENTS = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("abc", max_size=12), st.booleans()),
    max_size=30,
)
LIMIT, FAR = 40, 8


def expected(events: Sequence[Event]) -> list[tuple[int, str]]:
    """What is given, line by line: (number, text); set aside: its reason in brackets."""
    open_lines: dict[str, tuple[int, str]] = {}
    given = []
    for number, (stream, text, last) in enumerate(events):
        began, before = open_lines.get(stream, (number, ""))
        whole = before if before.startswith("<") else before + text
        if stream in open_lines and number - began > FAR and not whole.startswith("<"):
            whole = "<partial>"
        elif len(whole) > LIMIT and not whole.startswith("<"):
            whole = "<too_long>"
        if not last:
            open_lines[stream] = began, whole
            continue
        open_lines.pop(stream, None)
        given.append((number, whole))
    return given


def texts(records: Records) -> list[tuple[int, str]]:
    positions = records.positions.tolist()
    lines = [records.lines[index].decode() for index in range(len(positions))]
    found = []
    for position, raw in zip(positions, lines, strict=True):
        text = json.loads(raw)["log"].rstrip("\n") if raw[0] == "{" else raw.split(" ", 3)[3]
        found.append((position, text))
    found += [(position, "<too_long>") for position in records.too_long]
    found += [(position, "<partial>") for position in records.partial]
    return sorted(found)


def records_of(lines: Sequence[str], begin: int, end: int) -> Records:
    data = "".join(lines[begin:end]).encode()
    return Records(Lines.of(data), np.arange(begin, end, dtype=np.int64))


@settings(max_examples=300, deadline=None)
@given(
    events=EVENTS,
    edges=st.sets(st.integers(1, 30)),
    restarts=st.sets(st.integers(1, 30)),
    kind=st.sampled_from(["cri", "docker"]),
)
def test_however_it_is_cut_and_restarted_lines_are_the_same(
    events: list[Event], edges: set[int], restarts: set[int], kind: str
) -> None:
    """Positions are numbers of lines. Docker's parts are known by their length: made so here."""
    if kind == "docker":
        events = [(s, t if last else t.ljust(5, "d"), last) for s, t, last in events]
        lines = [docker(t, last=last, stream=s) for s, t, last in events]
    else:
        lines = [cri(t, last=last, stream=s) for s, t, last in events]
    found = []
    with (
        patch.object(parts_module, "DOCKER_PART", 5),
        patch.object(parts_module, "LINE_LIMIT", LIMIT),
        patch.object(parts_module, "PART_LINES", FAR),
    ):
        state, begin = Parts(), 0
        for end in sorted({edge for edge in edges | restarts if edge < len(lines)} | {len(lines)}):
            records, state = joined(records_of(lines, begin, end), state)
            found += texts(records)
            begin = end
            if end in restarts:
                resume = max(end, state.resume)
                begin = state.needed_from(resume)
                state = Parts.restored(json.loads(json.dumps(state.state(begin, resume))))
    assert found == expected(events)
