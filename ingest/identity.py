"""Identity: what tells a file of a log from another, whatever it is named or packed."""

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from ingest.packed import MAGIC_BYTES, PACKED_READ, Unpacker, codec_of

#: So much of a file's unpacked beginning is its fingerprint.
HEAD_BYTES: Final = 1024


#: So much before the place where reading stands says that what was read is still there.
READ_BYTES: Final = 1024

#: A copy may lack so many of a short file's last lines.
_SHORTER: Final = 4


@dataclass(frozen=True, slots=True)
class Head:
    """A fingerprint of the first `size` bytes of a file; of a file that grows it stays true.

    `shorter` are those of the same without the last lines: a copy made before they came has them.
    """

    size: int
    digest: str
    shorter: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, data: bytes) -> "Head":
        """Return the fingerprint of a file that begins with `data`."""
        head = data[:HEAD_BYTES]
        shorter: list[tuple[int, str]] = []
        end = len(head)
        while len(shorter) < _SHORTER and (end := head.rfind(b"\n", 0, max(end - 1, 0)) + 1):
            shorter.append((end, _digest(head[:end])))
        return cls(len(head), _digest(head), tuple(shorter))

    def fits(self, data: bytes) -> bool:
        """Whether a file that begins with `data` (HEAD_BYTES of it) may be the same."""
        if len(data) >= self.size:
            return self.digest == _digest(data[: self.size])
        end = data.rfind(b"\n") + 1
        return any(size == end and digest == _digest(data[:end]) for size, digest in self.shorter)


@dataclass(frozen=True, slots=True)
class Traces:
    """A fingerprint of the last `size` bytes that were read of a file."""

    size: int
    digest: str

    @classmethod
    def of(cls, data: bytes) -> "Traces":
        """Return the fingerprint of what ends where reading stands."""
        return cls(len(data), _digest(data))

    def state(self) -> list[Any]:
        """Return this as plain JSON."""
        return [self.size, self.digest]

    @classmethod
    def restored(cls, state: Sequence[Any]) -> "Traces":
        """Return what `state` gave."""
        return cls(int(state[0]), str(state[1]))


@dataclass(frozen=True, slots=True)
class Identity:
    """A file: where it lies, how it begins, and when it last was changed (ns since 1970).

    Device and inode say it at once, but inodes are used again, and on network mounts they change;
    the head decides. It is None in positions stored by versions that knew only inodes.
    """

    device: int
    inode: int
    head: Head | None
    modified: int = 0

    @classmethod
    def of(cls, status: os.stat_result, head: bytes) -> "Identity":
        """Return the identity of a file that begins with `head`."""
        return cls(status.st_dev, status.st_ino, Head.of(head), status.st_mtime_ns)

    @property
    def known_content(self) -> bool:
        """Whether there is a head that says something."""
        return self.head is not None and self.head.size > 0

    @property
    def telling(self) -> bool:
        """Whether finding it again says something: of an empty file only the inode is known."""
        return self.head is None or self.known_content

    def grown(self, status: os.stat_result, head: bytes) -> "Identity":
        """Return the identity of the same file later."""
        known = self.head
        if known is None or (known.size < HEAD_BYTES and len(head) > known.size):
            known = Head.of(head)
        return replace(self, head=known, modified=max(self.modified, status.st_mtime_ns))

    def state(self) -> dict[str, Any]:
        """Return this as plain JSON."""
        known = self.head
        head = None if known is None else [known.size, known.digest, *map(list, known.shorter)]
        return {
            "device": self.device,
            "inode": self.inode,
            "head": head,
            "modified": self.modified,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Identity":
        """Return what `state` gave; those of older versions have neither head nor time."""
        head = state.get("head")
        return cls(
            int(state["device"]),
            int(state["inode"]),
            None if head is None else _restored(head),
            int(state.get("modified", 0)),
        )


def _restored(head: Sequence[Any]) -> Head:
    shorter = tuple((int(size), str(digest)) for size, digest in head[2:])
    return Head(int(head[0]), str(head[1]), shorter)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Candidate:
    """A file that is there now, and may be one that is known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.status = path.stat()
        self._head: bytes | None = None

    @property
    def head(self) -> bytes:
        """How the file begins, unpacked; read once."""
        if self._head is None:
            self._head = head_of(self.path)
        return self._head

    def fix(self) -> None:
        """Read how the file begins now, so that a later look can be compared."""
        self._head = self.head

    @property
    def identity(self) -> Identity:
        """What the file can be known by again."""
        return Identity.of(self.status, self.head)

    def same(self, other: "Candidate") -> bool:
        """Whether another look at this name showed the same file."""
        return find(other.identity, [self]) is not None

    def same_inode(self, identity: Identity) -> bool:
        """Whether it lies where the known file lay."""
        return (self.status.st_dev, self.status.st_ino) == (identity.device, identity.inode)

    def agrees(self, identity: Identity) -> bool:
        """Whether it begins as the known file does; true if that is not known."""
        return identity.head is None or identity.head.fits(self.head)


def find(identity: Identity, candidates: Sequence[Candidate]) -> int | None:
    """Return which of the files, oldest first, is the known one: by inode and head, else by head.

    Of several with the same content the newest: an original is newer than its copy. Raises
    OSError if it is none of those that can be read, and some cannot.
    """
    by_inode = [index for index, file in enumerate(candidates) if file.same_inode(identity)]
    by_head = list(range(len(candidates))) if identity.known_content else []
    failed: OSError | None = None
    for index in (*reversed(by_inode), *reversed(by_head)):
        try:
            if candidates[index].agrees(identity):
                return index
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed
    if identity.head is None:
        inodes = [candidate.status.st_ino for candidate in candidates]
        return inodes.index(identity.inode) if identity.inode in inodes else None
    return None


def candidates_of(files: list[Path]) -> list[Candidate]:
    """Look at files; those that went away meanwhile are out. Raises other errors of the system."""
    found = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            found.append(Candidate(file))
    return found


def head_of(file: Path, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, unpacked; nothing if it is gone. Raises OSError."""
    try:
        with file.open("rb") as stream:
            return _head(stream, size)
    except FileNotFoundError:
        return b""


def _head(stream: BinaryIO, size: int) -> bytes:
    piece = stream.read(max(size, MAGIC_BYTES))
    codec = codec_of(piece[:MAGIC_BYTES])
    if codec is None:
        return piece[:size]
    unpacker = Unpacker(codec, size)
    head = b""
    while piece and len(head) < size and unpacker.damage is None:
        for data in unpacker.feed(piece):
            head += data
            if len(head) >= size:
                break
        piece = stream.read(PACKED_READ)
    return head[:size]
