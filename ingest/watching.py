"""Watching: whether anything happened to the files of a log, at the cost of two looks."""

from pathlib import Path

Stamp = tuple[int, int, int, int]


class Watch:
    """Compares the stamps (device, inode, size, time of change) of a log's files over time.

    `where` is the file that is read, `live` the path of the log. If `written`, a file of that
    name is or was written; of other logs the newest rotation is.
    """

    def __init__(self, live: Path, *, written: bool) -> None:
        self.live = live
        self.where = live
        self.written = written
        self._stamps: tuple[Stamp | None, Stamp | None] = (None, None)
        self._folder: Stamp | None = None

    @property
    def gone(self) -> bool:
        """Whether neither file was there at the last look."""
        return self._stamps == (None, None)

    def look(self) -> tuple[bool, bool]:
        """Return (whether anything changed, whether files were renamed) since the last look.

        Raises OSError, but not if a file is not there.
        """
        stamps = _stamp(self.where), _stamp(self.live)
        before, self._stamps = self._stamps, stamps
        renamed = [_inode(stamp) for stamp in before] != [_inode(stamp) for stamp in stamps]
        self.written = self.written or stamps[1] is not None
        if self.written and stamps[1] is None:
            # it may be written and rotated away between two looks
            folder = _stamp(self.live.parent)
            renamed |= folder != self._folder
            self._folder = folder
        return renamed or before != stamps, renamed


def _inode(stamp: Stamp | None) -> tuple[int, int] | None:
    return None if stamp is None else stamp[:2]


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
