"""Several sources as one stream: no batch is marked as later than what is still to come."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ingest.enrichment import Enrichment
from ingest.events import Batch, no_events
from ingest.formats.detection import Detection
from ingest.gaps import Gap
from ingest.live import LiveSources, by_kind
from ingest.logs import InputProblem
from ingest.partitions import Tally
from ingest.sources import FileSource, KafkaSource

_LINE: Final = '203.0.113.7 - - [02/Nov/2026:07:00:{second:02d} +0000] "GET / HTTP/1.1" 200 5\n'


class Scripted:
    """A source whose batches and watermarks are given."""

    def __init__(self, name: str, *rounds: list[int | None]) -> None:
        self.name = name
        self.rounds = list(rounds)
        self.watermark: int | None = None
        self.has_partitions = True
        self.late = 1
        self.commits = 0
        self.closed = False

    def poll(self) -> list[Batch]:
        marks = self.rounds.pop(0) if self.rounds else []
        if marks:
            self.watermark = marks[-1]
        return [Batch(no_events(), mark) for mark in marks]

    def tick(self, now: int | None = None) -> list[Batch]:
        self.watermark = now
        return [Batch(no_events(), now)]

    def positions(self) -> dict[str, dict[str, Any]]:
        return {self.name: {"offset": 1}}

    def take_gaps(self) -> list[Gap]:
        return [Gap(self.name, 3, "odd", "bytes")]

    def commit(self) -> None:
        self.commits += 1

    def close(self) -> None:
        self.closed = True

    @property
    def problems(self) -> list[InputProblem]:
        return [InputProblem(self.name, "odd", "look")]

    @property
    def lag(self) -> Mapping[str, int]:
        return {self.name: 3}

    @property
    def detections(self) -> Mapping[str, Detection]:
        return {self.name: Detection("json", 1.0)}


def test_a_batch_is_marked_with_the_least_of_all_sources() -> None:
    files = Scripted("a.log", [10, 20], [90])
    topics = Scripted("t-0", [None, 15], [40, 50])
    live = LiveSources([files], [topics], Tally())
    assert [batch.watermark for batch in live.poll()] == [None, None, None, 15]
    # The file's 90 waits for the topic, which had come to 15; then the topic comes to 40 and 50.
    assert [batch.watermark for batch in live.poll()] == [15, 40, 50]
    assert live.watermark == 50
    assert [batch.watermark for batch in live.tick(100)] == [50, 100]


def test_a_source_with_nothing_to_read_holds_no_time_back() -> None:
    files, topics = Scripted("a.log", [10, 20]), Scripted("t-0", [])
    topics.has_partitions = False
    live = LiveSources([files], [topics], Tally())
    assert [batch.watermark for batch in live.poll()] == [10, 20]
    assert live.watermark == 20
    topics.has_partitions = True
    assert live.watermark is None


def test_time_goes_on_in_files_beside_a_broker_that_is_down(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(_LINE.format(second=second) for second in range(4)), encoding="utf-8")
    down = KafkaSource(bootstrap_servers=("127.0.0.1:1",), topics=("access",))
    live = LiveSources.open([FileSource(paths=(str(log),)), down], Enrichment(), start="beginning")
    assert [batch.watermark is None for batch in live.poll()] == [False]
    live.close()
    stored = {"access-0": {"cluster": None, "topic_id": None, "offset": 5, "skip": 0}}
    positions = {"files": {}, "topics": stored}
    live = LiveSources.open(
        [FileSource(paths=(str(log),)), down],
        Enrichment(),
        start="beginning",
        positions=positions,
    )
    assert [batch.watermark for batch in live.poll()] == [None]  # it was read from, and returns
    live.close()


def test_what_all_sources_say_is_put_together() -> None:
    files, topics = Scripted("a.log"), Scripted("t-0")
    live = LiveSources([files], [topics], Tally())
    assert live.positions() == {"files": {"a.log": {"offset": 1}}, "topics": {"t-0": {"offset": 1}}}
    assert (live.lag, live.unread) == ({"t-0": 3}, {"a.log": 3})
    assert live.late == 2
    assert [gap.partition for gap in live.take_gaps()] == ["a.log", "t-0"]
    assert [problem.path for problem in live.problems] == ["a.log", "t-0"]
    live.commit()
    live.close()
    assert (files.commits, topics.commits, files.closed, topics.closed) == (1, 1, True, True)


def test_positions_of_the_first_version_are_those_of_files() -> None:
    old = {"/var/log/a.log": {"inode": 1}}
    assert by_kind(old) == {"files": old, "topics": {}, "enrichment": {}}
    new = {"files": old, "topics": {"t-0": {}}, "enrichment": {"routes": {}}}
    assert by_kind(new) == new
    assert by_kind({}) == {"files": {}, "topics": {}, "enrichment": {}}
