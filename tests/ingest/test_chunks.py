"""Files in blocks of whole lines: nothing is lost, doubled or cut, however long lines are."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.chunks import LogChunks
from ingest.lines import LINE_LIMIT
from ingest.logs import Log

RANDOM = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
LENGTHS = st.lists(
    st.one_of(st.integers(0, 40), st.integers(0, LINE_LIMIT), st.just(3 * LINE_LIMIT)), max_size=12
)


@RANDOM
@given(
    lengths=LENGTHS,
    chunk_bytes=st.integers(1_000, 5 * LINE_LIMIT),
    ended=st.booleans(),
)
def test_chunks_are_the_file_but_for_lines_that_are_too_long(
    tmp_path: Path, lengths: list[int], chunk_bytes: int, *, ended: bool
) -> None:
    lines = [bytes([97 + number]) * length for number, length in enumerate(lengths)]
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    file = tmp_path / "a.log"
    file.write_bytes(data)
    chunks = LogChunks(Log("a.log", (file,)), chunk_bytes)
    left = bytearray(b"-" * len(data))
    for chunk in chunks:
        left[chunk.base : chunk.base + len(chunk.data)] = chunk.data
        for position, length in chunk.too_long:
            left[position : position + length + 1] = data[position : position + length + 1]
            assert length > LINE_LIMIT
        assert chunk.data.endswith(b"\n") or chunk.base + len(chunk.data) == len(data)
    assert bytes(left) == data
    assert chunks.bytes_read == len(data)
