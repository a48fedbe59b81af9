"""MaxMind DB files, read from a copy in memory: whoever overwrites the file harms nobody."""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path
from typing import Final

import maxminddb
from maxminddb import InvalidDatabaseError
from maxminddb.types import Record

#: What tells one content of a file from the next: device, inode, time of change in ns, bytes.
Identity = tuple[int, int, int, int]

_GIGABYTE: Final = 1 << 30
SIZE_LIMIT: Final = 2 * _GIGABYTE

_IPV4_ONLY: Final = 4

#: Where the first networks are looked for, and how many networks and gaps are passed at most.
_FIRST_IPV4: Final = IPv4Address(0)
_FIRST_IPV6: Final = IPv6Address("2000::")
_HOPS: Final = 20_000

#: What the reader raises over damaged data; the last where its C code forgets what it raised.
_DAMAGED: Final = (InvalidDatabaseError, UnicodeDecodeError, SystemError)


class MmdbError(Exception):
    """A file is missing, unreadable, or no MaxMind DB; the message says which, without its name."""


@dataclass(frozen=True)
class Mmdb:
    """An open MaxMind DB. Any number of threads may look up at once."""

    database_type: str
    digest: str
    identity: Identity
    _reader: maxminddb.Reader
    _ip_version: int

    def look_up(self, address: str) -> Record | None:
        """Return the record of a canonical address. Raises MmdbError if the data is damaged."""
        if self._ip_version == _IPV4_ONLY and ":" in address:
            return None
        try:
            return self._reader.get(address)
        except _DAMAGED as error:
            raise MmdbError("the data is damaged") from error

    def first(self, count: int) -> list[Record]:
        """Return the records of the first networks, of IPv4 and of global IPv6, so many of each.

        By look-ups, as the reader's own way through a damaged file ends the process. Raises
        MmdbError if the data is damaged.
        """
        found = list(islice(self._from(_FIRST_IPV4), count))
        if self._ip_version != _IPV4_ONLY:
            found += islice(self._from(_FIRST_IPV6), count)
        return found

    def _from(self, address: IPv4Address | IPv6Address) -> Iterator[Record]:
        end = 1 << address.max_prefixlen
        for _ in range(_HOPS):
            try:
                record, length = self._reader.get_with_prefix_len(str(address))
            except _DAMAGED as error:
                raise MmdbError("the data is damaged") from error
            if record is not None:
                yield record
            size = 1 << (address.max_prefixlen - length)
            following = int(address) // size * size + size
            if following >= end:
                return
            address = type(address)(following)


def identity_of(path: Path) -> Identity:
    """Return what changes when the file is replaced. Raises MmdbError."""
    try:
        return _identity(path.stat())
    except OSError as error:
        raise MmdbError(error.strerror or str(error)) from error


def open_mmdb(path: Path) -> Mmdb:
    """Copy a MaxMind DB into memory and open the copy. Raises MmdbError."""
    try:
        with path.open("rb") as file:
            return _open(file)
    except OSError as error:
        raise MmdbError(error.strerror or str(error)) from error
    except (InvalidDatabaseError, UnicodeDecodeError, ValueError) as error:
        raise MmdbError("not a MaxMind DB file, or one cut short") from error


def _open(file: BufferedReader) -> Mmdb:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise MmdbError("not a file")
    if found.st_size > SIZE_LIMIT:
        raise MmdbError(f"larger than {SIZE_LIMIT // _GIGABYTE} GiB")
    with _copied(file) as copy:
        reader = maxminddb.open_database(copy)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _identity(os.fstat(file.fileno())) != _identity(found):
        reader.close()
        raise MmdbError("it changed while it was read")
    metadata = reader.metadata()
    return Mmdb(
        str(metadata.database_type), digest, _identity(found), reader, int(metadata.ip_version)
    )


@contextmanager
def _copied(file: BufferedReader) -> Iterator[str]:
    """Give the path of a nameless copy, open until the end of the block; a mapping outlives it."""
    if sys.platform != "linux":
        yield os.fspath(file.name)
        return
    with open(os.memfd_create("mmdb"), "w+b") as copy:  # noqa: PTH123 - a descriptor, not a path
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        file.seek(0)
        yield f"/proc/self/fd/{copy.fileno()}"


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
