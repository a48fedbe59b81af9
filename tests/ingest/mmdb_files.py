"""Writes small MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), 32-bit records."""

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"

Node = list[Any]


class Short(int):
    """A number of 16 bits, where the format asks for one."""


class Long(int):
    """A number of 64 bits, where the format asks for one."""


def write_mmdb(
    path: Path,
    networks: Mapping[str, Mapping[str, Any]],
    *,
    kind: str = "Test-City",
    version: int = 6,
    epoch: int = 1_700_000_000,
) -> Path:
    """Write records of networks that do not overlap; IPv4 is ::/96, as in MaxMind's own files."""
    root: Node = [None, None]
    data = b""
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        wide = version == 6 and network.version == 4
        length = network.prefixlen + (96 if wide else 0)
        width = 128 if version == 6 else 32
        bits = f"{int(network.network_address):0{width}b}"[:length]
        node = root
        for bit in bits[:-1]:
            node[int(bit)] = node[int(bit)] or [None, None]
            node = node[int(bit)]
        node[int(bits[-1])] = len(data)
        data += _encoded(record)
    nodes = _numbered(root)
    places = {id(node): place for place, node in enumerate(nodes)}

    def pointer(child: Node | int | None) -> int:
        if isinstance(child, list):
            return places[id(child)]
        return len(nodes) if child is None else len(nodes) + 16 + child

    tree = b"".join(struct.pack(">II", *map(pointer, node)) for node in nodes)
    metadata: dict[str, Any] = {
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(epoch),
        "database_type": kind,
        "description": {"en": "test"},
        "ip_version": Short(version),
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": Short(32),
    }
    path.write_bytes(tree + bytes(16) + data + _MARKER + _encoded(metadata))
    return path


def _numbered(root: Node) -> list[Node]:
    nodes = [root]
    for node in nodes:
        nodes += [child for child in node if isinstance(child, list)]
    return nodes


def _encoded(value: Any) -> bytes:
    if isinstance(value, bool):
        return _head(14, int(value))
    if isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        kind = 5 if isinstance(value, Short) else 9 if isinstance(value, Long) else 6
        return _head(kind, len(raw)) + raw
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return _head(2, len(raw)) + raw
    if isinstance(value, Mapping):
        pairs = (_encoded(key) + _encoded(item) for key, item in value.items())
        return _head(7, len(value)) + b"".join(pairs)
    return _head(11, len(value)) + b"".join(map(_encoded, value))


def _head(kind: int, size: int) -> bytes:
    low, rest = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (
        bytes([(kind if kind <= 7 else 0) << 5 | low])
        + (bytes([kind - 7]) if kind > 7 else b"")
        + rest
    )
