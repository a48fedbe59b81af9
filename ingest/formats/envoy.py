r"""Envoy's format strings, Istio's accessLogFormat among them.

%START_TIME% is when the request began: %DURATION% is added. %DOWNSTREAM_REMOTE_ADDRESS% is the
client as Envoy worked it out, ..._DIRECT_... the peer. Operators that give no field are matched
and dropped. See envoyproxy.io/docs: configuration/observability/access_log/usage.
"""

import re
from collections.abc import Iterator
from typing import Final

from ingest.formats.errors import FormatError
from ingest.formats.nginx import ISO_TIME
from ingest.formats.pieces import Kind, Piece, Text, Variable
from ingest.formats.strftime import look_of

_PLAIN: Final[dict[str, tuple[Kind, str, int]]] = {
    "RESPONSE_CODE": ("number", "status", 0),
    "PROTOCOL": ("word", "protocol", 0),
    "DURATION": ("number", "duration_ms", 0),
    "BYTES_SENT": ("number", "response_bytes", 0),
    "BYTES_RECEIVED": ("number", "request_bytes", 0),
    "DOWNSTREAM_REMOTE_ADDRESS": ("token", "client_ip", 0),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": ("token", "client_ip", 1),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": ("token", "client_ip", 2),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": ("token", "client_ip", 3),
    "STREAM_ID": ("token", "request_id", 1),
    "REQUESTED_SERVER_NAME": ("token", "host", 1),
    "PATH": ("token", "uri", 1),
}
_HEADERS: Final[dict[str, tuple[Kind, str, int]]] = {
    ":method": ("word", "method", 0),
    ":path": ("token", "uri", 0),
    "x-envoy-original-path": ("token", "uri", 0),
    ":authority": ("token", "host", 0),
    ":scheme": ("token", "scheme", 0),
    "x-forwarded-proto": ("token", "scheme", 1),
    "x-forwarded-for": ("list", "forwarded_for", 0),
    "forwarded": ("text", "forwarded", 0),
    "cf-connecting-ip": ("token", "connecting_ip", 0),
    "user-agent": ("text", "user_agent", 0),
    "referer": ("text", "referrer", 0),
    "x-request-id": ("token", "request_id", 0),
    "x-api-key": ("text", "api_key", 0),
}
_REQUEST: Final = frozenset({"REQ", "REQUEST_HEADER", "REQ_WITHOUT_QUERY"})
_TEXTS: Final = re.compile(
    r"REQ|RESP|TRAILER|.*_HEADER|.*TRANSPORT_FAILURE.*|DYNAMIC_METADATA|FILTER_STATE"
    r"|CLUSTER_METADATA|UPSTREAM_METADATA|.*_SUBJECT|.*_ISSUER|LOCAL_REPLY_BODY|METADATA|CEL"
    r"|ROUTE_NAME"
)
_NAMES: Final = frozenset({"RESPONSE_CODE_DETAILS", "CONNECTION_TERMINATION_DETAILS"})
_OPERATOR: Final = re.compile(r"%(?:%|([A-Z0-9_]+)(?:\(((?:[^()]|\([^()]*\))*)\))?(?::([0-9]+))?%)")


def pieces(pattern: str) -> list[Piece]:
    """Return the pieces of a format string; raises FormatError."""
    text = pattern.strip("\r\n").removesuffix("\\n").replace('\\"', '"')
    return list(_pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    done = 0
    for found in _OPERATOR.finditer(text):
        if "%" in text[done : found.start()]:
            break
        yield Text(text[done : found.start()])
        yield Text("%") if found[0] == "%%" else _piece(found[0], found[1], found[2])
        done = found.end()
    if "%" in text[done:]:
        place = text.index("%", done)
        raise FormatError(f"the format has a % at character {place} that begins no operator")
    yield Text(text[done:])


def _piece(written: str, name: str, argument: str | None) -> Variable:
    if name == "START_TIME":
        return _start(written, argument)
    if name in _REQUEST and argument:
        known = [_HEADERS.get(header.strip().lower()) for header in argument.split("?")]
        for kind, field, rank in (found for found in known if found is not None):
            return Variable(written, kind, field, rank, opening="/" if field == "uri" else "")
        return Variable(written, "text")
    if name in _PLAIN:
        kind, field, rank = _PLAIN[name]
        return Variable(written, kind, field, rank)
    if name in _NAMES:
        return Variable(written, "name")
    return Variable(written, "text" if _TEXTS.fullmatch(name) else "token")


def _start(written: str, argument: str | None) -> Variable:
    if not argument:
        return Variable(written, "time", "start", 0, ISO_TIME)
    form = re.sub(r"%(?:E([369])f|([369])f|f)", _fraction, argument)
    return Variable(written, "time", "start", 0, look_of(form, written), form=form)


def _fraction(found: re.Match[str]) -> str:
    """Return chrono's name for a fraction: %f is nine digits in Envoy."""
    return f"%{found[1] or found[2] or 9}f"
