"""Room on the disks that are written to."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

#: Less than this is too little to start with; less than that should be looked at.
LEAST_BYTES: Final = 100 << 20
FEW_BYTES: Final = 1 << 30
FEW_PERCENT: Final = 5


def check_disk(at: Surroundings) -> Iterator[Remark]:
    """Say how much room there is for the database and the state folder."""
    url = make_url(at.settings.store.url.get_secret_value())
    folders = {at.state.absolute(): "the state folder"}
    if url.get_backend_name() == "sqlite" and url.database:
        folders[Path(url.database).absolute().parent] = "the database"
    else:
        yield skipped("the database's own disk is not seen from here")
    for folder, what in folders.items():
        yield _room(folder, what)


def size(count: float) -> str:
    """Write a number of bytes as people do."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 - the step between units
            return f"{count:,.0f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def _room(folder: Path, what: str) -> Remark:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    percent = 100 * usage.free // max(usage.total, 1)
    seen = f"{size(usage.free)} ({percent} %) free for {what}, {folder}"
    if usage.free < LEAST_BYTES:
        return fail(seen, "make room: nothing can be stored on a full disk")
    if usage.free < FEW_BYTES or percent < FEW_PERCENT:
        return warn(seen, "make room, or lower retention.incidents and retention.deliveries")
    return ok(seen)
