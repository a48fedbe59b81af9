r"""nginx `log_format` strings, alone or as the whole directive.

nginx writes a line when the request is done, so its times are those of completion. Variables that
give no field are matched and dropped. See nginx.org/en/docs/http/ngx_http_log_module.html.
"""

import re
from collections.abc import Iterator
from typing import Final

from ingest.formats.errors import FormatError
from ingest.formats.pieces import Kind, Piece, Text, Variable

CLF_TIME: Final = (
    r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?: [+-][0-9]{4})?"
)
ISO_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    r" ?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
EPOCH: Final = r"[0-9]{1,20}(?:\.[0-9]{1,9})?"

_FIELDS: Final[dict[str, tuple[Kind, str, int]]] = {
    "remote_addr": ("address", "client_ip", 0),
    "the_real_ip": ("address", "client_ip", -1),
    "realip_remote_addr": ("address", "client_ip", 2),
    "proxy_protocol_addr": ("address", "client_ip", 3),
    "http_x_real_ip": ("address", "client_ip", 4),
    "binary_remote_addr": ("token", "", 0),
    "remote_user": ("name", "user", 0),
    "time_local": ("time", "timestamp", 2),
    "time_iso8601": ("time", "timestamp", 1),
    "msec": ("time", "timestamp", 0),
    "request": ("text", "request", 0),
    "request_method": ("word", "method", 0),
    "request_uri": ("token", "uri", 0),
    "uri": ("token", "path", 0),
    "document_uri": ("token", "path", 1),
    "args": ("token", "query", 0),
    "query_string": ("token", "query", 1),
    "server_protocol": ("word", "protocol", 0),
    "scheme": ("token", "scheme", 0),
    "http_x_forwarded_proto": ("token", "scheme", 1),
    "host": ("token", "host", 0),
    "http_host": ("token", "host", 1),
    "server_name": ("token", "host", 2),
    "status": ("number", "status", 0),
    "body_bytes_sent": ("number", "response_bytes", 0),
    "bytes_sent": ("number", "response_bytes", 1),
    "request_length": ("number", "request_bytes", 0),
    "content_length": ("number", "request_bytes", 1),
    "request_time": ("number", "duration_s", 0),
    "http_user_agent": ("text", "user_agent", 0),
    "http_referer": ("text", "referrer", 0),
    "http_x_forwarded_for": ("list", "forwarded_for", 0),
    "proxy_add_x_forwarded_for": ("list", "forwarded_for", 1),
    "http_forwarded": ("text", "forwarded", 0),
    "http_cf_connecting_ip": ("token", "connecting_ip", 0),
    "http_true_client_ip": ("token", "connecting_ip", 1),
    "http_x_api_key": ("text", "api_key", 0),
    "http_apikey": ("text", "api_key", 1),
    "arg_api_key": ("text", "api_key", 2),
    "request_id": ("token", "request_id", 0),
    "req_id": ("token", "request_id", 1),
    "kong_request_id": ("token", "request_id", 2),
    "http_x_request_id": ("token", "request_id", 3),
    "http_x_correlation_id": ("token", "request_id", 4),
    "http_cf_ipcountry": ("token", "country", 0),
    "geoip2_data_country_code": ("token", "country", 1),
    "geoip2_data_country_iso_code": ("token", "country", 1),
    "geoip_country_code": ("token", "country", 2),
}
_LOOKS: Final = {"time_local": CLF_TIME, "time_iso8601": ISO_TIME, "msec": EPOCH}
_OPENINGS: Final = {
    "request_uri": "/",
    "uri": "/",
    "document_uri": "/",
}
_MARKS: Final = {"is_args": "?", "pipe": "p."}
_NUMBERS: Final = re.compile(
    r"connection(?:_requests|_time)?|connections_\w+|pid|tcpinfo_\w+|request_completion_time"
    r"|(?:server|remote|proxy_protocol)_port|gzip_ratio"
)
_LISTS: Final = re.compile(r"upstream_(?!http_|cookie_|trailer_).*|http_x_\w*forwarded\w*")
_TEXTS: Final = re.compile(
    r"(?:sent_)?http_.*|cookie_.*|arg_.*|request_body|ssl_client_.*|upstream_(?:http|cookie)_.*"
)

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_WRAPPER: Final = re.compile(r"\s*log_format\s+(\S+)\s+(?:escape=(\w+)\s+)?(.*)", re.DOTALL)
_STRING: Final = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\#[^\n]*|([^\s;'"][^\s;]*))""", re.DOTALL
)
_ESCAPE: Final = re.compile(r"""\\(["'\\trn])""")
_ESCAPES: Final = {"t": "\t", "r": "\r", "n": "\n"}


def format_text(pattern: str) -> str:
    """Return the format itself: `pattern` without the directive around it and its quotes."""
    wrapper = _WRAPPER.fullmatch(pattern)
    if wrapper is not None:
        return _joined(wrapper[3])
    if pattern.lstrip().startswith("'"):
        return _joined(pattern)
    return pattern.strip("\r\n")


def pieces(pattern: str) -> list[Piece]:
    """Return the pieces of a log_format; raises FormatError."""
    return list(_pieces(format_text(pattern)))


def variable(name: str) -> Variable:
    """Return what nginx's variable `name` (without the dollar) looks like and gives."""
    written = f"${name}"
    opening = _OPENINGS.get(name, "")
    known = _FIELDS.get(name)
    if known is not None:
        kind, field, rank = known
        return Variable(written, kind, field or None, rank, _LOOKS.get(name, ""), opening)
    if name in _MARKS:
        return Variable(written, "mark", opening=_MARKS[name])
    if _NUMBERS.fullmatch(name):
        return Variable(written, "number")
    if _LISTS.fullmatch(name):
        return Variable(written, "list")
    return Variable(written, "text" if _TEXTS.fullmatch(name) else "token")


def _pieces(text: str) -> Iterator[Piece]:
    done = 0
    for found in _VARIABLE.finditer(text):
        yield Text(text[done : found.start()])
        yield variable(found[1] or found[2])
        done = found.end()
    yield Text(text[done:])


def _joined(strings: str) -> str:
    """Join the strings of a directive and undo their escapes."""
    parts, done = [], 0
    rest = strings.rstrip().removesuffix(";").rstrip()
    while done < len(rest):
        found = _STRING.match(rest, done)
        if found is None:
            raise FormatError(
                f"the log_format cannot be read from character {done} on: a quote is missing there"
            )
        part = next((text for text in found.groups() if text is not None), "")
        parts.append(_ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), part))
        done = found.end()
    return "".join(parts)
