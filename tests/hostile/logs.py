"""Logs full of hostile text: every field of every format, and attackers who are named so."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingest.formats.declared import examples
from ingest.formats.registry import DECLARED

from .corpus import HOSTILE, LARGE

#: Examples of the formats that are not declared in a file.
_PLAIN: Final = {
    "combined": '203.0.113.7 - alice [02/Nov/2026:08:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 512'
    ' "https://shop.example/" "curl/8.5"',
    "common": '203.0.113.7 - alice [02/Nov/2026:08:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 512',
    "vhost_combined": "shop.example:443 203.0.113.7 - alice [02/Nov/2026:08:00:00 +0000]"
    ' "GET /a?b=c HTTP/1.1" 200 512 "-" "curl/8.5"',
    "json": json.dumps(
        {
            "time": "2026-11-02T08:00:00Z",
            "client_ip": "203.0.113.7",
            "method": "GET",
            "uri": "/a?b=c",
            "status": 200,
            "user": "alice",
            "service": "shop",
            "host": "shop.example",
            "user_agent": "curl/8.5",
            "referer": "https://shop.example/",
            "request_id": "r1",
        }
    ),
}

FORMATS: Final = (*DECLARED, *_PLAIN)

#: A field of a line of text: what stands in quotes, or a word.
_FIELD: Final = re.compile(r'(?<=")[^"]+(?=")|[^\s"\[\]|,]+')

#: Each field of a format's example gets every so many-th text, the next field the next ones: all
#: texts are in every format, and all fields have several.
_EVERY: Final = 4

#: Bytes that are no UTF-8, put where text is expected.
_BROKEN: Final = (b"\xff\xfe\xc3(", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xae\xc0\xae")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _in_text(line: str, texts: tuple[bytes, ...]) -> Iterator[bytes]:
    for number, field in enumerate(_FIELD.finditer(line)):
        before, after = _bytes(line[: field.start()]), _bytes(line[field.end() :])
        for text in texts[number % _EVERY :: _EVERY] or texts:
            yield before + text + after


def _leaves(data: object) -> Iterator[tuple[Any, Any]]:
    entries: Any = ()
    if isinstance(data, dict):
        entries = data.items()
    elif isinstance(data, list):
        entries = enumerate(data)
    for key, value in entries:
        if isinstance(value, dict | list):
            yield from _leaves(value)
        else:
            yield data, key


def _in_object(line: str, texts: tuple[str, ...]) -> Iterator[bytes]:
    """Put each text into each field: escaped by the rules of JSON, and once as it is."""
    data = json.loads(line)
    for number, (holder, key) in enumerate(list(_leaves(data))):
        kept = holder[key]
        for text in texts[number % _EVERY :: _EVERY] or texts:
            holder[key] = text
            yield json.dumps(data).encode()
        holder[key] = "MARK"
        raw = json.dumps(data, ensure_ascii=False)
        for broken in (*map(_bytes, texts[number % 16 :: 16]), *_BROKEN):
            yield _bytes(raw).replace(b"MARK", broken)
        holder[key] = kept


def hostile_log(name: str) -> bytes:
    """A log of a format: its examples, then the first of them with the corpus in every field."""
    known = examples(name) if name in DECLARED else [{"line": _PLAIN[name]}]
    directives = [each["directive"] for each in known[:1] if each.get("directive")]
    lines = [_bytes(each["line"]) for each in known if not each.get("directive")] * 40
    first: str = known[0]["line"]
    if directives:
        lines = [_bytes(first)] * 100
    if first.startswith("{"):
        lines += _in_object(first, HOSTILE)
    else:
        lines += _in_text(first, (*map(_bytes, HOSTILE), *_BROKEN))
    return b"\n".join([*map(_bytes, directives), *lines]) + b"\n"


def large_log(name: str) -> bytes:
    """A log of a format with one long text in each of a few fields of its first example."""
    known = examples(name) if name in DECLARED else [{"line": _PLAIN[name]}]
    first: str = known[0]["line"]
    directives = [_bytes(each["directive"]) for each in known[:1] if each.get("directive")]
    fields = (
        list(_in_object(first, ("MARK",)))[:: 1 + len(HOSTILE) // 7]
        if first.startswith("{")
        else list(_in_text(first, (b"MARK",)))
    )
    lines = [
        field.replace(b"MARK", _bytes(LARGE[number % len(LARGE)]))
        for number, field in enumerate(fields)
    ]
    return b"\n".join([*directives, *[_bytes(first)] * 100, *lines]) + b"\n"


def attacks(texts: tuple[str, ...] = HOSTILE) -> bytes:
    """JSON lines in which every text is a user, a service, a path: many clients attack it."""
    lines: list[str] = []
    for number, text in enumerate(texts):
        for second in range(40):
            event = {
                "time": f"2026-11-02T{8 + number // 60:02}:{number % 60:02}:{second:02}Z",
                "client_ip": f"198.18.{number}.{second % 20}",
                "method": text if second % 7 == 0 else "POST",
                "uri": f"/login/{second}/{text}?x={text}",
                "status": 404 if second % 3 == 0 else 401,
                "user": text,
                "service": text,
                "host": text,
                "user_agent": text,
                "referer": text,
                "request_id": text,
                "api_key": text,
            }
            lines.append(json.dumps(event))
    return "".join(f"{line}\n" for line in lines).encode()


def write_all(folder: Path) -> list[Path]:
    """Write all of it; the logs."""
    logs = {f"{name}.log": hostile_log(name) for name in FORMATS}
    logs["attacks.log"] = attacks()
    for name, data in logs.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in logs]
