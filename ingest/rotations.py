"""Rotations: which files are one log, by name, and which of them is older."""

import os
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from ingest.identity import head_of
from ingest.packed import PACKED

_NUMBERED: Final = re.compile(r"^(?P<name>.+)\.(?P<number>\d{1,4})$")
_DATE: Final = (
    r"(?P<date>(?:19|20)\d\d[-._]?[01]\d[-._]?[0-3]\d(?:[-T_]?\d{2,6}|-\d{10})?)"
    r"(?P<index>\.\d{1,4})?"
)
_DATED: Final = re.compile(rf"^(?P<name>.+)[-._]{_DATE}(?P<ending>\.[A-Za-z]+)?$")
#: Seconds since 1970, as in logrotate's dateformat -%s; only after an ending, as many names have
#: ten digits.
_EPOCH: Final = re.compile(r"^(?P<name>.+[._]log)[-.](?P<date>1[0-9]{9})$")

#: A folder that was changed so recently (ns) may change again without a new time of change.
_SETTLED: Final = 2 * 10**9

Age = tuple[int, str, int]


@lru_cache(1 << 14)
def split_name(name: str) -> tuple[str, Age]:
    """Return (name without rotation, key that sorts rotations from oldest to newest)."""
    plain = PACKED.sub("", name)
    dated = _DATED.match(plain)
    if dated:
        digits = re.sub(r"\D", "", dated["date"])
        log = dated["name"] + (dated["ending"] or "")
        return log, (-(10**6), digits, int((dated["index"] or ".0")[1:]))
    epoch = _EPOCH.match(plain)
    if epoch:
        return epoch["name"], (-(10**6), epoch["date"], 0)
    numbered = _NUMBERED.match(plain)
    if numbered:
        return numbered["name"], (-int(numbered["number"]), "", 0)
    return plain, (1, "", 0)


def log_path(file: Path) -> Path:
    """Return the path of the log that `file` is, or is a rotation of."""
    name, _ = split_name(file.name)
    return file.with_name(name)


def oldest_first(files: Iterable[Path]) -> list[Path]:
    """Sort files of one log; a file's compressed twin, left by a compression under way, is out."""
    twins: dict[Age, list[Path]] = {}
    for file in files:
        twins.setdefault(split_name(file.name)[1], []).append(file)
    return [
        file for age in sorted(twins) for file in _without_twins(sorted(twins[age], key=_plain))
    ]


class Folders:
    """The rotations of many logs; a folder is listed again only if something in it was renamed."""

    def __init__(self) -> None:
        self._listed: dict[Path, tuple[int, dict[str, list[str]]]] = {}

    def rotations_of(self, log: Path) -> list[Path]:
        """Return the files of the log with this path that are there now, oldest first.

        Raises OSError if the folder cannot be read; one that is not there has no files.
        """
        folder = log.parent
        try:
            changed = folder.stat().st_mtime_ns
            listed = self._listed.get(folder)
            if listed is None or listed[0] != changed:
                self._listed.pop(folder, None)
                if time.time_ns() - changed > _SETTLED:  # noqa: TID251 - the age of a folder
                    listed = self._listed[folder] = changed, _by_log(folder)
                else:
                    listed = changed, {log.name: _names(folder, _stem(log), log.name)}
        except FileNotFoundError:
            return []
        files = (folder / name for name in listed[1].get(log.name, ()))
        return oldest_first(file for file in files if file.is_file())


def rotations_of(log: Path) -> list[Path]:
    """Return the files of the log with this path, as `Folders` does once."""
    return Folders().rotations_of(log)


def _names(folder: Path, stem: str, log: str) -> list[str]:
    with os.scandir(folder) as entries:
        likely = [entry.name for entry in entries if entry.name.startswith(stem)]
    return [name for name in likely if split_name(name)[0] == log]


def _by_log(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            found.setdefault(split_name(entry.name)[0], []).append(entry.name)
    return found


def _stem(log: Path) -> str:
    return log.name.removesuffix(log.suffix)


def _plain(file: Path) -> tuple[bool, str]:
    return PACKED.search(file.name) is None, file.name


def _without_twins(files: list[Path]) -> list[Path]:
    """Leave out compressed files that begin as the plain one does; what cannot be read stays."""
    plain = files[-1]
    if len(files) == 1 or PACKED.search(plain.name):
        return files
    try:
        head = head_of(plain)
        return [
            file
            for file in files
            if not PACKED.search(file.name) or not head.startswith(head_of(file))
        ]
    except OSError:
        return files
