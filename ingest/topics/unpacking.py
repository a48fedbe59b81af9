"""Unpacks the record sets of batches, never into more than a bound: a few bytes may hold a lot."""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import lz4.frame
import snappy
import zstandard

#: A batch that unpacks into more is not read. Brokers take batches of 1 MB unless told otherwise.
UNPACKED_LIMIT: Final = 32 << 20

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_GZIP: Final = 31  # zlib's word for: expect a gzip header
_STEP: Final = 1 << 20


class UnpackError(Exception):
    """The bytes cannot be unpacked, or into too much."""


def unpack(codec: int, data: bytes, limit: int = UNPACKED_LIMIT) -> bytes:
    """Return what `data` holds, packed by one of the protocol's codecs 0 to 4.

    Raises UnpackError for an unknown codec, damaged data, or more than `limit` bytes.
    """
    if codec not in _CODECS:
        raise UnpackError(f"unknown compression {codec}")
    try:
        unpacked = _CODECS[codec](data, limit)
    except (
        RuntimeError,  # lz4
        ValueError,
        EOFError,
        zlib.error,
        zstandard.ZstdError,
        snappy.UncompressError,
        struct.error,
    ) as error:
        raise UnpackError(f"damaged: {type(error).__name__}") from error
    if len(unpacked) > limit:
        raise UnpackError(f"unpacks into more than {limit} bytes")
    return unpacked


def _plain(data: bytes, _limit: int) -> bytes:
    return data


def _gzip(data: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    while data and len(unpacked) <= limit:
        stream = zlib.decompressobj(_GZIP)
        unpacked += stream.decompress(data, limit + 1 - len(unpacked))
        if not stream.eof and len(unpacked) <= limit:
            raise UnpackError("damaged: ends too early")
        data = stream.unused_data
    return bytes(unpacked)


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_XERIAL):
        return _snappy_block(data, limit)
    parts, size, at = [], 0, _XERIAL_HEADER
    while at < len(data) and size <= limit:
        (length,) = struct.unpack_from(">i", data, at)
        if length <= 0:
            raise UnpackError("damaged: a block of no length")
        parts.append(_snappy_block(data[at + 4 : at + 4 + length], limit - size))
        size += len(parts[-1])
        at += 4 + length
    return b"".join(parts)


def _snappy_block(block: bytes, limit: int) -> bytes:
    length = shift = 0
    for byte in block[:5]:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of the length has no high bit
            break
    if length > limit:
        raise UnpackError(f"unpacks into more than {limit} bytes")
    unpacked: bytes = snappy.uncompress(block)
    return unpacked


def _lz4(data: bytes, limit: int) -> bytes:
    stream = lz4.frame.LZ4FrameDecompressor()
    unpacked: bytes = stream.decompress(data, limit + 1)
    if not stream.eof and len(unpacked) <= limit:
        raise UnpackError("damaged: ends too early")
    return unpacked


def _zstd(data: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
        while len(unpacked) <= limit and (part := stream.read(_STEP)):
            unpacked += part
    return bytes(unpacked)


_CODECS: Final[Mapping[int, Callable[[bytes, int], bytes]]] = {
    0: _plain,
    1: _gzip,
    2: _snappy,
    3: _lz4,
    4: _zstd,
}
