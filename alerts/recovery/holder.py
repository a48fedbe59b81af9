"""Which process holds a lease, so that one on the same machine knows when it is gone."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: `name` for people (host:pid), `process` for others on the same machine.

    `process` is None where the system does not tell when a process began.
    """

    name: str
    process: str | None

    @classmethod
    def this(cls) -> Self:
        """Return this process."""
        pid = os.getpid()
        begun = _begun(pid)
        machine = _machine()
        known = machine is not None and begun is not None
        return cls(f"{socket.gethostname()}:{pid}", f"{machine}/{pid}/{begun}" if known else None)


def is_gone(process: str | None) -> bool:
    """Return whether a holder's process ran on this machine and has ended; False if unknown."""
    machine = _machine()
    if process is None or machine is None or not process.startswith(f"{machine}/"):
        return False
    pid, _, begun = process.removeprefix(f"{machine}/").partition("/")
    return _begun(int(pid)) != begun


def _machine() -> str | None:
    """Return what this start of this machine is known by, and the processes that we can see."""
    try:
        return f"{_BOOT.read_text().strip()}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def _begun(pid: int) -> str | None:
    """Return when a process began, in ticks since the machine did; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return None if state in "ZX" else fields[18]
