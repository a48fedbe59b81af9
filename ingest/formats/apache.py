r"""Apache `LogFormat` strings, alone or as the whole directive.

%t is the time when the request came in: the duration is added if the format has one. Directives
that give no field are matched and dropped. See httpd.apache.org/docs/2.4/mod/mod_log_config.html.
"""

import re
from collections.abc import Iterator
from typing import Final

from ingest.formats.errors import FormatError
from ingest.formats.nginx import CLF_TIME, EPOCH
from ingest.formats.pieces import Kind, Piece, Text, Variable
from ingest.formats.strftime import look_of

_PLAIN: Final[dict[str, tuple[Kind, str, int]]] = {
    "a": ("address", "client_ip", 0),
    "h": ("token", "client_ip", 1),
    "u": ("name", "user", 0),
    "r": ("text", "request", 0),
    "m": ("word", "method", 0),
    "U": ("token", "path", 0),
    "q": ("token", "query", 0),
    "H": ("word", "protocol", 0),
    "v": ("token", "host", 2),
    "V": ("token", "host", 1),
    "s": ("number", "status", 1),
    "b": ("number", "response_bytes", 0),
    "B": ("number", "response_bytes", 1),
    "O": ("number", "response_bytes", 2),
    "I": ("number", "request_bytes", 0),
    "D": ("number", "duration_us", 0),
    "T": ("number", "duration_s", 1),
    "L": ("token", "request_id", 3),
}
_HEADERS: Final[dict[str, tuple[Kind, str, int]]] = {
    "user-agent": ("text", "user_agent", 0),
    "referer": ("text", "referrer", 0),
    "host": ("token", "host", 0),
    "x-forwarded-for": ("list", "forwarded_for", 0),
    "forwarded": ("text", "forwarded", 0),
    "cf-connecting-ip": ("token", "connecting_ip", 0),
    "true-client-ip": ("token", "connecting_ip", 1),
    "x-api-key": ("text", "api_key", 0),
    "apikey": ("text", "api_key", 1),
    "x-request-id": ("token", "request_id", 1),
    "x-correlation-id": ("token", "request_id", 2),
    "x-forwarded-proto": ("token", "scheme", 1),
    "cf-ipcountry": ("token", "country", 0),
}
_WITH_ARGUMENT: Final[dict[tuple[str, str], tuple[Kind, str, int]]] = {
    ("T", "ms"): ("number", "duration_ms", 0),
    ("T", "us"): ("number", "duration_us", 0),
    ("T", "s"): ("number", "duration_s", 0),
    ("a", "c"): ("address", "client_ip", 2),
    ("e", "unique_id"): ("token", "request_id", 0),
    ("o", "x-request-id"): ("token", "request_id", 0),
}
_NUMBERS: Final = frozenset("pPkS")

_BRACKETED: Final = rf"\[{CLF_TIME}\]"
_DIRECTIVE: Final = re.compile(
    r"%(?:%|!?[0-9,]*[<>]?[0-9,]*(?:\{([^}]*)\})?([<>]?)(\^t[io]|[A-Za-z]))"
)
_WRAPPER: Final = re.compile(r'\s*LogFormat\s+"((?:[^"\\]|\\.)*)"\s*\S*\s*', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r"}
_BETWEEN_TIMES: Final = re.compile(r"[ .,:TZ_/-]{0,3}")


def format_text(pattern: str) -> str:
    r"""Return the format itself, without `LogFormat "..." name` around it and without escapes."""
    wrapper = _WRAPPER.fullmatch(pattern)
    if wrapper is None and pattern.lstrip().lower().startswith("logformat"):
        raise FormatError(
            'the LogFormat cannot be read: write LogFormat "..." name, with quotes inside as \\"'
        )
    text = wrapper[1] if wrapper else pattern.strip("\r\n")
    return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), text)


def pieces(pattern: str) -> list[Piece]:
    """Return the pieces of a LogFormat; raises FormatError."""
    return list(_with_times(format_text(pattern)))


def _with_times(text: str) -> Iterator[Piece]:
    """Yield the pieces; times that stand one after the other are one."""
    done, times = 0, list[re.Match[str]]()
    for found in _DIRECTIVE.finditer(text):
        between = text[done : found.start()]
        if "%" in between:
            raise FormatError(f"the format has a % at character {done} that begins no directive")
        formatted = found[3] == "t" and bool(found[1]) and "%" in _time_format(found)
        if times and not (formatted and _BETWEEN_TIMES.fullmatch(between)):
            yield _time(text, times)
            times.clear()
        if formatted:
            if not times:
                yield Text(between)
            times.append(found)
        else:
            yield Text(between)
            yield _piece(found)
        done = found.end()
    if times:
        yield _time(text, times)
    if "%" in text[done:]:
        raise FormatError("the format ends with a % that begins no directive")
    yield Text(text[done:])


def _piece(found: re.Match[str]) -> Piece:
    written, argument, letter = found[0], found[1], found[3]
    if written == "%%":
        return Text("%")
    if letter == "t":
        return _epoch_or_clf(written, argument)
    if letter in _NUMBERS and argument is None:
        return Variable(written, "number")
    kind, field, rank = _meaning(letter, argument)
    final = letter == "s" and ">" in written
    opening = {"q": "?", "U": "/"}.get(letter, "") if argument is None else ""
    return Variable(written, kind, field or None, 0 if final else rank, opening=opening)


def _meaning(letter: str, argument: str | None) -> tuple[Kind, str, int]:
    """Return (kind, field, rank) of a directive that is no time."""
    if argument is None or letter in "hvV":
        return _PLAIN.get(letter, ("token", "", 0))
    if letter == "i":
        return _HEADERS.get(argument.lower(), ("text", "", 0))
    return _WITH_ARGUMENT.get((letter, argument.lower()), ("text", "", 0))


def _epoch_or_clf(written: str, argument: str | None) -> Variable:
    if argument is None:
        return Variable(written, "time", "start", 1, _BRACKETED)
    when, _, unit = argument.rpartition(":")
    field = "timestamp" if "end" in {when, unit} else "start"
    if unit in {"begin", "end", ""}:
        return Variable(written, "time", field, 1, _BRACKETED)
    if unit in {"msec_frac", "usec_frac"}:
        return Variable(written, "number")
    return Variable(written, "time", field, 0, EPOCH)


def _time_format(found: re.Match[str]) -> str:
    """Return the strftime format of a %{...}t, with chrono's names for fractions."""
    argument = re.sub(r"^(begin|end):", "", found[1])
    return {"msec_frac": "%3f", "usec_frac": "%6f"}.get(argument, argument)


def _time(text: str, times: list[re.Match[str]]) -> Variable:
    """Return one time for the neighbouring %{...}t in `times`."""
    form = "".join(
        (text[times[number - 1].end() : found.start()] if number else "") + _time_format(found)
        for number, found in enumerate(times)
    )
    written = text[times[0].start() : times[-1].end()]
    field = "timestamp" if "{end:" in written else "start"
    if form in {"%3f", "%6f"}:
        return Variable(written, "number")
    return Variable(written, "time", field, 0, look_of(form, written), form=form)
