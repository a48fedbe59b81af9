"""Checkpoints that are damaged, or that an older version of the program wrote."""

import base64
import hashlib
import json
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, Final

import pytest
from sqlalchemy import Engine, insert, select, update

from alerts.database.models import CheckpointPartRow, CheckpointRow, FindingRow, table_of
from alerts.storage.store import Store
from tests.durability.crashes import new_run
from tests.durability.feeds import LogFeed
from tests.durability.outcome import Outcome
from tests.durability.story import Story
from vedette.detecting import detection_of
from vedette.rules import catalogue_of
from vedette.settings import settings_from
from vedette.worker import Worker

FOLDER: Final = Path(__file__).with_name("checkpoints")
PIECES: Final = 30


def test_damaged_checkpoints(told: Story, expected: Outcome, tmp_path: Path) -> None:
    """One byte is another one; the state is counted anew, and nobody notices but in the log.

    First in the manifest, later in the parts. Failed when reading went on at the end of the log
    instead (`recovery.origin_of`).
    """
    feed = LogFeed(tmp_path / "access.log")
    rng = Random(11)
    pieces = told.pieces(rng, PIECES)
    with new_run(tmp_path, f"sqlite:///{tmp_path / 'v.db'}", feed, told.settings) as run:
        run.begin()
        run.play(pieces[:12])
        for damage, end in ((damage_manifest, 16), (damage_part, 22)):
            run.service.wait(lambda: bool(keys(run.engine)), "that there is a checkpoint")
            run.service.stop()  # so that something is in it
            damage(run.engine, rng)
            run.play(pieces[end - 4 : end], pause=0)
            run.begin()
            assert "level=warning" in run.service.words()
            run.play(pieces[end : end + 2])
        run.play(pieces[24:])
        found = run.finish()
    assert expected.differences(found) == []


def keys(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        query = select(table_of(CheckpointPartRow).c.key)
        return sorted(connection.execute(query).scalars())


def damage_manifest(engine: Engine, rng: Random) -> None:
    table = table_of(CheckpointRow)
    with engine.begin() as connection:
        state = connection.execute(select(table.c.state)).scalar_one()
        connection.execute(update(table).values(state=flipped(state, rng)))


def damage_part(engine: Engine, rng: Random) -> None:
    """Flip a byte in each part: which ones matter is not for the test to know."""
    table = table_of(CheckpointPartRow)
    with engine.begin() as connection:
        for key, data in connection.execute(select(table.c.key, table.c.data)).all():
            changed = update(table).where(table.c.key == key)
            connection.execute(changed.values(data=flipped(data, rng)))


def flipped(data: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@pytest.mark.parametrize("version", [2, 3])
def test_a_checkpoint_of_an_older_version(version: int, engine: Engine, tmp_path: Path) -> None:
    """Eight of twelve paths are in the checkpoint that the program of that version wrote.

    Those files were written by the programs themselves; a version that can no longer be read is
    taken from the list, with a word to users. Failed when the old state was not taken up (four
    paths are too few), and when the position was not (more lines were read); if it is not readable
    all lines are read again.
    """
    written = json.loads((FOLDER / f"version-{version}.json").read_text(encoding="utf-8"))
    log = tmp_path / "access.log"
    log.write_text("".join(written["lines"]), encoding="utf-8")
    store_checkpoint(engine, written, log)
    rules = f"[rules]\nfolders = ['{FOLDER / 'rules'}']\n[routes]\nlearn = false\n"
    settings = settings_from(f"[[sources]]\npaths = ['{log}']\nformat = 'combined'\n{rules}")
    worker = Worker(settings.sources, detection_of(settings, catalogue_of(settings)), Store(engine))
    last = written["lines"][-1]
    with log.open("a", encoding="utf-8") as out:
        out.writelines(last.replace("nothing-7", f"nothing-{n}") for n in range(8, 12))
    while worker.step(Event()):
        pass
    assert worker.health().details["lines"] == 4
    stop = Event()
    stop.set()
    worker.run(stop)
    table = table_of(FindingRow)
    with engine.connect() as connection:
        query = select(table.c.value).where(table.c.detector == "probing")
        assert connection.execute(query).scalars().all() == [12]


def store_checkpoint(engine: Engine, written: dict[str, Any], log: Path) -> None:
    """Store a checkpoint as that version did, for the log at its place now."""
    positions = json.loads(json.dumps(written["positions"]).replace("{log}", str(log)))
    state = base64.b64decode(written["state"])
    watermark = datetime.fromisoformat(written["watermark"])
    shown = watermark.isoformat().replace("+00:00", "Z")
    digest = hashlib.sha256()
    for part in (
        json.dumps([written["version"], written["fingerprint"], shown]).encode(),
        json.dumps(positions, sort_keys=True).encode(),
        state,
    ):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    row = {
        "id": 1,
        "version": written["version"],
        "fingerprint": written["fingerprint"],
        "watermark": watermark,
        "positions": positions,
        "state": state,
        "sha256": digest.hexdigest(),
    }
    parts = [
        {"key": key, "data": base64.b64decode(data)}
        for key, data in written.get("parts", {}).items()
    ]
    with engine.begin() as connection:
        connection.execute(insert(table_of(CheckpointRow)).values(row))
        if parts:
            connection.execute(insert(table_of(CheckpointPartRow)), parts)
