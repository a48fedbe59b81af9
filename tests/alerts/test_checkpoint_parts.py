"""Detector state in parts: written once, never the last readable ones deleted."""

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from alerts.database.models import CheckpointPartRow
from alerts.database.opening import for_writing
from alerts.recovery.checkpoint import Checkpoint
from alerts.recovery.parts import CheckpointParts
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.kernel import RuleKernel
from detectors.snapshot import Packer, Snapshot
from tests.detectors.streams import event as request
from tests.detectors.streams import frame

CATALOGUE = load_catalogue()


class State:
    """A kernel that is fed, and its checkpoints."""

    def __init__(self) -> None:
        self.kernel = RuleKernel(CATALOGUE)
        self._packer = Packer()
        self._second = 0

    def next(self) -> Checkpoint:
        rows = [request(self._second, client_ip=f"10.0.0.{n}", status=404) for n in range(50)]
        self.kernel.process(frame(rows), None)
        self._second += 1
        packed = self._packer.pack(self.kernel.snapshot())
        return Checkpoint(
            3, "f", None, {}, packed.manifest, packed.pieces, packed.named, packed.size
        )


def stored(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(CheckpointPartRow.key)).scalars())


def readable(engine: Engine) -> Snapshot:
    checkpoint = Store(engine).load_checkpoint()
    assert checkpoint is not None
    return Snapshot.unpack(checkpoint.state, checkpoint.parts)


def test_parts_are_written_once_and_deleted_when_none_names_them(engine: Engine) -> None:
    """Failed when what no manifest names stayed, and when what is there was written again.

    And when another run did not look at what is there.
    """
    state = State()
    before: frozenset[str] = frozenset()
    for store in (Store(engine), Store(engine)):
        for _ in range(15):
            checkpoint = state.next()
            store.record([], watermark=None, checkpoint=checkpoint)
            assert checkpoint.named <= stored(engine) <= checkpoint.named | before
            before = checkpoint.named
            store.record([], watermark=None, checkpoint=checkpoint)  # tried again
            readable(engine)


@pytest.mark.parametrize("again", [False, True], ids=["same run", "another run"])
@pytest.mark.parametrize("writes", range(6))
def test_a_crash_between_any_two_transactions_leaves_a_whole_checkpoint(
    engine: Engine, writes: int, again: bool
) -> None:
    """Failed when parts were deleted that the stored manifest names, or written after it.

    In another run than the one that stored them: failed when `_named_now` was not asked.
    """
    state, store = State(), Store(engine)
    for _ in range(12):
        store.record([], watermark=None, checkpoint=state.next())
    if again:
        store = Store(engine)
    left = [writes + again]  # another run reads first what is there

    def crash(connection: object) -> None:
        del connection
        left[0] -= 1
        if left[0] < 0:
            raise OperationalError("begin", {}, RuntimeError("the power is gone"))

    event.listen(engine, "begin", crash)
    try:
        for _ in range(3):
            store.record([], watermark=None, checkpoint=state.next())
    except OperationalError:
        pass
    event.remove(engine, "begin", crash)
    readable(engine)
    store.record([], watermark=None, checkpoint=state.next())
    readable(engine)
    Store(engine).record([], watermark=None, checkpoint=state.next())
    readable(engine)


def test_no_transaction_writes_much(engine: Engine) -> None:
    """Failed when all parts were written in one transaction, however many there are."""
    pieces = {f"{n:064d}": bytes([n]) * 700_000 for n in range(9)}
    begun: list[object] = []

    @event.listens_for(engine, "begin")
    def _count(connection: object) -> None:
        begun.append(connection)

    CheckpointParts(for_writing(engine)).prepare(pieces, frozenset(pieces))
    assert len(begun) > 4
    assert stored(engine) == set(pieces)
