"""Logs: files found by paths and globs, rotations of one log put together, oldest first."""

import errno
import glob
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingest.packed import PACKED
from ingest.rotations import log_path, oldest_first

#: The path that means standard input, and the name of its partition.
STDIN_PATH: Final = "-"
STDIN: Final = "stdin"

#: Files in a named folder that are no logs, by their name.
_NO_LOG: Final = re.compile(
    r"^(?:[.#].*|.*[~#]|[ubw]tmp|lastlog|faillog|tallylog)$"
    r"|\.(?:swp|swx|swo|tmp|temp|part|filepart|bak|orig|pid|lock|sock|pos|offset|state"
    r"|zip|tar|tgz|tbz2?|txz|7z|rar|tar\.\w+|db|sqlite3?|(?:db|sqlite3?)-(?:wal|shm|journal)"
    r"|journal|conf|cfg|ini|toml|ya?ml|xml|html?|pdf|png|jpe?g|gif|py|pyc|sh|so|jar|pem|key|crt"
    r"|mmdb|parquet|md5|sha256|sig|asc)$",
    re.IGNORECASE,
)
#: Left over by editors: no pattern means them.
_BACKUP: Final = re.compile(r"^[.#]|[~#]$|\.sw[pxo]$")

#: Archives hold files, and are not read as one.
_ARCHIVE: Final = re.compile(r"\.(?:zip|tar|tgz|tbz2?|txz|7z|rar|tar\.\w+)$", re.IGNORECASE)

#: What errors of the system mean: (reason, advice).
_ERRORS: Final = {
    errno.ENOENT: ("there is no such file", "check the path"),
    errno.ENOTDIR: ("there is no such file", "check the path"),
    errno.EACCES: ("permission denied", "run as a user who may read it (often group adm)"),
    errno.EPERM: ("permission denied", "run as a user who may read it (often group adm)"),
    errno.EMFILE: ("too many open files", "raise the limit of open files (ulimit -n)"),
    errno.ENFILE: ("too many open files", "raise the system's limit of open files"),
}


@dataclass(frozen=True, slots=True)
class InputProblem:
    """An input that could not be read, wholly or in part: what, why, and what to do.

    `missing_from` is given if lines may be missing: the newest event time read before, in
    microseconds since 1970; `missing_until` the first read after, None if there is none (yet).
    """

    path: str
    reason: str
    advice: str
    missing_from: int | None = None
    missing_until: int | None = None

    def __str__(self) -> str:
        missing = ""
        if self.missing_from is not None:
            until = "" if self.missing_until is None else f" and before {_utc(self.missing_until)}"
            missing = f"; lines after {_utc(self.missing_from)}{until} UTC may be missing"
        return f"{self.path}: {self.reason}{missing}; {self.advice}"


def _utc(time: int) -> str:
    return f"{datetime.fromtimestamp(time // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Log:
    """One partition: the rotations of one log, oldest first.

    `name` is the resolved path of the log that is still written, even if it is not there; it is
    the partition's identity. Standard input is the log "stdin" with the file "-".
    """

    name: str
    files: tuple[Path, ...]

    @property
    def is_stdin(self) -> bool:
        """Whether this is standard input."""
        return self.name == STDIN


def find_logs(paths: Iterable[str]) -> tuple[list[Log], list[InputProblem]]:
    """Return the logs that paths and globs name, in order of first mention, and what is wrong.

    A folder means the files directly in it that look like logs: regular, not hidden, no editor's
    backup, not of a kind that is no log (databases, archives, settings). A pattern means the
    files that match it, or the folders, if only folders do: `/srv/*/logs`, `/srv/**/*.log`.
    """
    problems: list[InputProblem] = []
    groups: dict[str, dict[Path, None]] = {}
    for path in paths:
        if path == STDIN_PATH:
            groups.setdefault(STDIN, {})[Path(STDIN_PATH)] = None
            continue
        for file in _files(path, problems):
            groups.setdefault(str(log_path(file)), {})[file] = None
    logs = [Log(name, tuple(oldest_first(files))) for name, files in groups.items()]
    return logs, problems


def _files(path: str, problems: list[InputProblem]) -> list[Path]:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - a glob is no path
    if os.path.lexists(expanded) or not glob.has_magic(expanded):
        return _named(expanded, problems)
    matches = sorted(glob.glob(expanded, recursive=True))  # noqa: PTH207 - ** and absolute
    if not matches:
        problems.append(
            InputProblem(path, "nothing matches this pattern", "check the folder and the name")
        )
    files = [match for match in matches if not _is_folder(match)]
    if not files:
        return [file for folder in matches for file in _named(folder, problems)]
    meant = [file for file in files if not _BACKUP.search(Path(file).name) and not _special(file)]
    return [found for file in meant for found in _checked(file, Path(file).resolve(), problems)]


def _named(name: str, problems: list[InputProblem]) -> list[Path]:
    """Return the file with this name, or the logs in the folder with this name."""
    if not _is_folder(name):
        return _checked(name, Path(name).resolve(), problems)
    folder = Path(name).resolve()
    try:
        with os.scandir(folder) as entries:
            found = sorted((e.name, e.is_symlink()) for e in entries if _is_log(e))
    except OSError as error:
        problems.append(problem_of(name, error))
        return []
    if not found:
        problems.append(InputProblem(name, "no logs in this folder", "check the path"))
    return [
        log
        for entry, linked in found
        for log in _checked(
            str(Path(name, entry)),
            (folder / entry).resolve() if linked else folder / entry,
            problems,
        )
    ]


def _is_log(entry: os.DirEntry[str]) -> bool:
    if _NO_LOG.search(entry.name) or _NO_LOG.search(PACKED.sub("", entry.name)):
        return False
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


def _is_folder(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112 - a mount that fails is none, and raises nothing


def _special(file: str) -> bool:
    """Whether this is a socket, a pipe or a device."""
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116 - many, at each look
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _checked(shown: str, file: Path, problems: list[InputProblem]) -> list[Path]:
    problem = check_file(file, shown)
    if problem is None:
        return [file]
    problems.append(problem)
    return []


def check_file(file: Path, shown: str) -> InputProblem | None:
    """Return why `file` cannot be read, or None if it can."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return problem_of(shown, error)
    if stat.S_ISDIR(mode):
        return InputProblem(shown, "this is a directory", f"name its files, as in {shown}/*.log")
    if not stat.S_ISREG(mode):
        return InputProblem(shown, "this is no regular file", "pipe it in and use - as path")
    if _ARCHIVE.search(file.name):
        return InputProblem(shown, "this is an archive", "unpack it, and name the files in it")
    if not os.access(file, os.R_OK):
        return problem_of(shown, PermissionError(errno.EACCES, ""))
    return None


def problem_of(path: str, error: OSError) -> InputProblem:
    """Say what an error of the system means for the input at `path`."""
    known = _ERRORS.get(error.errno or 0)
    if known is not None:
        return InputProblem(path, *known)
    reason = f"reading failed: {error.strerror or type(error).__name__}"
    return InputProblem(path, reason, "check the file and its disk or mount")
