"""Batches that are joined: what is complete stays so at the end of input."""

from detectors.gathering import gathered
from ingest.events import Batch
from tests.detectors.streams import event, frame


def test_the_end_of_input_takes_no_watermark_back() -> None:
    batches = [Batch(frame([event(0), event(1)]), 5), Batch(frame([]), None)]
    (joined,) = gathered(batches)
    assert joined.batch.events.height == 2
    assert joined.batch.watermark == 5
    assert joined.complete is not None
    assert joined.complete.until == 5


def test_nothing_is_complete_without_a_watermark() -> None:
    (joined,) = gathered([Batch(frame([event(0)]), None), Batch(frame([]), None)])
    assert joined.batch.watermark is None
    assert joined.complete is None
