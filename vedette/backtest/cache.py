"""The folder of what back-tests keep: an entry a log, the longest unused leave first."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from vedette.backtest.contents import Digests
from vedette.backtest.private_files import private_folder
from vedette.backtest.stored_log import BadEntryError, LogWriter, StoredLog

#: Ends the names of entries that are being written.
_UNFINISHED: Final = ".unfinished-"
#: Ends the names of those that shall not be found again.
_PARTLY: Final = ".partly-"
#: Seconds after which such entries are nobody's any more.
_LEFT_OVER: Final = 86_400
_ENTRIES: Final = "logs"
_DIGESTS: Final = "digests.json"


class Cache:
    """Logs that were normalised before, by their key. At most `limit` bytes are kept.

    Files are readable by their owner alone. An entry that is not whole is as none.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._entries = folder / _ENTRIES
        self._limit = limit

    @property
    def digests(self) -> Digests:
        """What is known of the contents of files."""
        return Digests(private_folder(self.folder) / _DIGESTS)

    def find(self, key: str) -> StoredLog | None:
        """Return what is kept under a key, and count it as used; None if nothing is."""
        folder = self._entries / key
        if not folder.is_dir():
            return None
        try:
            found = StoredLog.open(folder)
        except BadEntryError:
            shutil.rmtree(folder)
            return None
        os.utime(folder)
        return found

    def begin(self, key: str) -> LogWriter:
        """Return a writer for a new entry."""
        private_folder(self._entries)
        folder = self._entries / f"{key}{_UNFINISHED}{os.getpid()}"
        if folder.exists():
            shutil.rmtree(folder)
        return LogWriter(private_folder(folder))

    def keep(self, key: str, writer: LogWriter, *, whole: bool = True) -> StoredLog:
        """Keep what was written under a key, unless somebody else has done so meanwhile.

        What is not `whole` can be used, and is not found again.
        """
        writer.finish()
        place = self._entries / (key if whole else f"{key}{_PARTLY}{os.getpid()}")
        if not whole and place.exists():  # of one that is gone: numbers of processes come again
            shutil.rmtree(place)
        try:
            writer.folder.rename(place)
        except OSError:  # somebody else has kept it meanwhile
            if not place.is_dir():
                raise
            shutil.rmtree(writer.folder)
        return StoredLog.open(place)

    @staticmethod
    def drop(writer: LogWriter) -> None:
        """Forget what was written."""
        shutil.rmtree(writer.folder, ignore_errors=True)

    def trim(self, *, sparing: frozenset[str] = frozenset()) -> int:
        """Remove entries until there is no more than the limit; return the bytes that are left.

        The longest unused leave first; those of `sparing` stay, whatever they take, and so does
        what another process is writing.
        """
        for entry in list(self._by_age()):
            age = time.time() - entry.stat().st_mtime
            if entry.suffix and entry.name not in sparing and age > _LEFT_OVER:
                shutil.rmtree(entry)
        sizes = {entry: _bytes(entry) for entry in self._by_age()}
        total = sum(sizes.values())
        for entry, size in sizes.items():
            if total <= self._limit:
                break
            if entry.name not in sparing and _UNFINISHED not in entry.name:
                shutil.rmtree(entry)
                total -= size
        return total

    def size(self) -> int:
        """Return how many bytes are kept of logs."""
        return sum(_bytes(entry) for entry in self._by_age())

    def clear(self) -> int:
        """Remove everything; return how many bytes that were."""
        if not self.folder.is_dir():
            return 0
        size = self.size()
        shutil.rmtree(self._entries, ignore_errors=True)
        (self.folder / _DIGESTS).unlink(missing_ok=True)
        return size

    def _by_age(self) -> Iterator[Path]:
        if self._entries.is_dir():
            yield from sorted(self._entries.iterdir(), key=lambda entry: entry.stat().st_mtime)


@cache
def code_version(package: str) -> str:
    """Return a hash of all that one of our packages is made of: its programs and its data.

    What another version would read or count otherwise is then another entry, in development too.
    """
    root = Path(__file__).resolve().parents[2] / package
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.suffix in {".py", ".toml", ".yml", ".json"}:
            digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
