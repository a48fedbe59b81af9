"""Logs: files found by paths and globs, rotations of one log put together, oldest first."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The path that means standard input, and the name of its partition.
STDIN_PATH: Final = "-"
STDIN: Final = "stdin"

_PACKED: Final = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_NUMBERED: Final = re.compile(r"^(?P<name>.+)\.(?P<number>\d{1,4})$")
_DATE: Final = r"(?P<date>(?:19|20)\d\d-?[01]\d-?[0-3]\d(?:[-T_]?\d{2,6})?)"
_DATED: Final = re.compile(rf"^(?P<name>.+)[-._]{_DATE}(?P<ending>\.[A-Za-z]+)?$")


@dataclass(frozen=True, slots=True)
class InputProblem:
    """An input that could not be read, wholly or in part: what, why, and what to do."""

    path: str
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.advice}"


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
    """Return the logs that paths and globs name, in order of first mention, and what is wrong."""
    problems: list[InputProblem] = []
    groups: dict[str, dict[Path, None]] = {}
    for path in paths:
        if path == STDIN_PATH:
            groups.setdefault(STDIN, {})[Path(STDIN_PATH)] = None
            continue
        for file in _files(path, problems):
            groups.setdefault(str(log_path(file)), {})[file] = None
    logs = [Log(name, tuple(sorted(files, key=_age))) for name, files in groups.items()]
    return logs, problems


def log_path(file: Path) -> Path:
    """Return the path of the log that `file` is, or is a rotation of."""
    name, _ = _split_name(file.name)
    return file.with_name(name)


def _files(path: str, problems: list[InputProblem]) -> list[Path]:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - a glob is no path
    if Path(expanded).exists() or not glob.has_magic(expanded):
        matches = [expanded]
    else:
        matches = sorted(glob.glob(expanded, recursive=True))  # noqa: PTH207 - ** and absolute
        if not matches:
            problems.append(
                InputProblem(path, "nothing matches this pattern", "check the folder and the name")
            )
        matches = [match for match in matches if not Path(match).is_dir()] or matches[:1]
    found = []
    for match in matches:
        file = Path(match).resolve()
        problem = check_file(file, match)
        if problem is None:
            found.append(file)
        else:
            problems.append(problem)
    return found


def check_file(file: Path, shown: str) -> InputProblem | None:
    """Return why `file` cannot be read, or None if it can."""
    if file.is_dir():
        return InputProblem(shown, "this is a directory", f"name its files, as in {shown}/*.log")
    if not file.exists():
        return InputProblem(shown, "there is no such file", "check the path")
    if not os.access(file, os.R_OK):
        return InputProblem(
            shown, "permission denied", "run as a user who may read it (often group adm)"
        )
    packed = _PACKED.search(file.name)
    if packed and packed[0] != ".gz":
        return InputProblem(
            shown, f"{packed[0]} files are not read", "unpack it, or pipe it in and use - as path"
        )
    return None


def _split_name(name: str) -> tuple[str, tuple[int, str]]:
    """Return (name without rotation, key that sorts rotations from oldest to newest)."""
    plain = _PACKED.sub("", name)
    numbered = _NUMBERED.match(plain)
    if numbered and not _DATED.match(plain):
        return numbered["name"], (-int(numbered["number"]), "")
    dated = _DATED.match(plain)
    if dated:
        digits = re.sub(r"\D", "", dated["date"])
        return dated["name"] + (dated["ending"] or ""), (-(10**6), digits)
    return plain, (1, "")


def _age(file: Path) -> tuple[int, str, str]:
    _, age = _split_name(file.name)
    return (*age, file.name)
