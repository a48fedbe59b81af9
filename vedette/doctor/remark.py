"""What a check says."""

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["ok", "warn", "fail", "skipped"]

#: From the best to the worst.
STATUSES: Final[tuple[Status, ...]] = ("skipped", "ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was looked at: how it is, what was seen, and what to do if it is not well.

    Neither text holds a secret. `advice` is empty where there is nothing to do.
    """

    status: Status
    seen: str
    advice: str = ""


def ok(seen: str) -> Remark:
    """Say that something is as it should be."""
    return Remark("ok", seen)


def warn(seen: str, advice: str) -> Remark:
    """Say that something works, and should be looked at."""
    return Remark("warn", seen, advice)


def fail(seen: str, advice: str) -> Remark:
    """Say that something does not work."""
    return Remark("fail", seen, advice)


def skipped(seen: str) -> Remark:
    """Say that there was nothing to look at, or no way to."""
    return Remark("skipped", seen)
