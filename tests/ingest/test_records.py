"""Records in pieces: what becomes of lines is the same, and only so many are read at once."""

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ingest.enrichment import Enrichment
from ingest.lines import Lines
from ingest.normalising import Normaliser, Read, joined
from ingest.partitions import Partition, Tally
from ingest.records import LINES_AT_ONCE, Records
from ingest.sources import FileSource

KINDS = (
    "",
    "junk",
    '203.0.113.7 - - [02/Nov/2026:08:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl"',
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status",
    "#Fields: date time cs-method cs-uri-stem c-ip sc-status",
    "2026-11-02 08:00:00 203.0.113.9 GET /c 404",
    "2026-11-02 08:00:00 GET /d 203.0.113.9 404",
)


def read(records: Records) -> Read:
    return Normaliser(FileSource(paths=("a",)), "a", Enrichment()).read(records, "w3c")


def outcomes(found: Read) -> list[tuple[str, int, bytes]]:
    return sorted(
        (reject.reason, int(position), b"" if reject.lines is None else reject.lines[index])
        for reject in found.rejects
        for index, position in enumerate(reject.positions)
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=12),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([None, *KINDS[3:5]]),
)
def test_pieces_give_what_the_whole_gives(
    lines: list[str], size: int, ended: bool, directive: str | None
) -> None:
    block = Lines.of("\n".join(lines).encode() + b"\n" * ended)
    whole = Records(block, block.starts + 100, (7,), directive)
    pieces = list(whole.pieces(size))
    assert all(len(piece.lines) <= size for piece in pieces)
    together, apart = read(whole), joined([read(piece) for piece in pieces])
    assert_frame_equal(together.events, apart.events)
    assert outcomes(together) == outcomes(apart)
    assert (together.lines, together.blank, together.ignored) == (
        apart.lines,
        apart.blank,
        apart.ignored,
    )


def test_a_partition_reads_no_more_lines_at_once() -> None:
    block = Lines.of(b"x\n" * (LINES_AT_ONCE + 1))
    partition = Partition("a", FileSource(paths=("a",), format="combined"), Tally())
    sizes: list[int] = []

    def note(records: Records, _detected: str | None) -> Read:
        sizes.append(len(records.lines))
        return read(Records(Lines.of(b""), block.starts[:0]))

    with patch.object(partition, "_normaliser") as normaliser:
        normaliser.read = note
        partition.parse(Records(block, block.starts))
    assert sizes == [LINES_AT_ONCE, 1]
