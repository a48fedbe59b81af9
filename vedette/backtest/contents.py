"""Files by what they hold: a digest of each, worked out once for as long as it does not change."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vedette.backtest.private_files import write_private

#: A file that was changed less than this before it was read (ns) may change again unnoticed, as
#: file systems tell times coarsely: its digest is not remembered.
_SETTLED_NS: Final = 2_000_000_000

#: Files whose digests are remembered, the last used ones.
REMEMBERED: Final = 10_000


class Digests:
    """SHA-256 of files, remembered by place, size and times as Git's index does.

    Logs are written by strangers, so that the hash is one that nobody can make collide.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _read(memory)

    def of(self, files: Iterable[Path]) -> list[str]:
        """Return the digests of some files; raises OSError for one that cannot be read."""
        found = [self._of(file) for file in files]
        kept = dict(list(self._known.items())[-REMEMBERED:])
        write_private(self._memory, json.dumps(kept).encode())
        return found

    def _of(self, file: Path) -> str:
        with file.open("rb") as stream:
            before = os.fstat(stream.fileno())
            times = max(before.st_mtime_ns, before.st_ctime_ns)
            place = f"{before.st_dev}:{before.st_ino}:{before.st_size}:{times}"
            if place in self._known:
                self._known[place] = self._known.pop(place)  # the last used one
                return self._known[place]
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            after = os.fstat(stream.fileno())
        unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if unchanged and after.st_atime_ns - times > _SETTLED_NS:
            self._known[place] = digest
        return digest


def _read(memory: Path) -> dict[str, str]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {str(place): str(digest) for place, digest in known.items()}
