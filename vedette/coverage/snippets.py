"""What to add to a server's log format, so that a column of events is filled.

For nginx and Apache the whole line is given, with all that is missing in it; the source in the
settings then has it as its `pattern`. Envoy, Traefik and Caddy write JSON, whose names are known.
"""

from collections.abc import Collection, Mapping
from typing import Final

SERVERS: Final = ("nginx", "apache", "envoy", "traefik", "caddy")

#: Columns that the combined formats of nginx and Apache have.
_COMBINED: Final = frozenset(
    {"client_ip", "user", "method", "path", "query", "protocol", "status", "response_bytes"}
    | {"referrer", "user_agent", "request_raw"}
)

_NGINX: Final[Mapping[str, str]] = {
    "duration_us": "rt=$request_time",
    "request_bytes": "rl=$request_length",
    "host": 'host="$host"',
    "scheme": "scheme=$scheme",
    "request_id": "id=$request_id",
    "api_key": 'key="$http_x_api_key"',
    "country": "country=$http_cf_ipcountry",
}
_APACHE: Final[Mapping[str, str]] = {
    "duration_us": "%D",
    "request_bytes": "in=%I",
    "host": 'host=\\"%{Host}i\\"',
    "scheme": "scheme=%{X-Forwarded-Proto}i",
    "request_id": "id=%{X-Request-Id}i",
    "api_key": 'key=\\"%{X-Api-Key}i\\"',
    "country": "country=%{CF-IPCountry}i",
}

#: Envoy: lines of json_format.
_ENVOY: Final[Mapping[str, str]] = {
    "client_ip": '"client_ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"',
    "user": '"user_id": "%REQ(X-USER-ID)%"',
    "api_key": '"api_key": "%REQ(X-API-KEY)%"',
    "method": '"method": "%REQ(:METHOD)%"',
    "path": '"request_uri": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"',
    "query": '"request_uri": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"',
    "protocol": '"protocol": "%PROTOCOL%"',
    "status": '"status": "%RESPONSE_CODE%"',
    "request_bytes": '"request_bytes": "%BYTES_RECEIVED%"',
    "response_bytes": '"bytes_sent": "%BYTES_SENT%"',
    "duration_us": '"duration_ms": "%DURATION%"',
    "user_agent": '"user_agent": "%REQ(USER-AGENT)%"',
    "referrer": '"referer": "%REQ(REFERER)%"',
    "host": '"host": "%REQ(:AUTHORITY)%"',
    "scheme": '"scheme": "%REQ(:SCHEME)%"',
    "request_id": '"request_id": "%REQ(X-REQUEST-ID)%"',
    "service": '"service": "%REQ(:AUTHORITY)%"',
}

#: Traefik: its JSON log has all that is no header; headers must be kept by name.
_TRAEFIK_JSON: Final = "accessLog: {format: json}"
_TRAEFIK_HEADERS: Final[Mapping[str, str]] = {
    "user_agent": "User-Agent",
    "referrer": "Referer",
    "api_key": "X-Api-Key",
    "request_id": "X-Request-Id",
}
_TRAEFIK_ALWAYS: Final = frozenset(
    {"client_ip", "user", "method", "path", "query", "protocol", "status", "response_bytes"}
    | {"request_bytes", "duration_us", "host", "scheme", "service"}
)

#: Caddy: its JSON log has these; headers too, unless they are filtered.
_CADDY_ALWAYS: Final = frozenset(
    {"client_ip", "user", "method", "path", "query", "protocol", "status", "response_bytes"}
    | {"request_bytes", "duration_us", "host", "user_agent", "referrer", "request_id"}
)

#: What no server knows: where else it comes from.
ELSEWHERE: Final[Mapping[str, str]] = {
    "service": 'service = "NAME" in the source of the settings, or a field `service` in JSON lines',
    "environment": 'environment = "production" in the source of the settings',
    "country": "an MMDB file: geo.country in the settings (docs/settings.md)",
    "city": "an MMDB file: geo.city in the settings",
    "location": "an MMDB file with coordinates: geo.city in the settings",
    "asn": "an MMDB file: geo.asn in the settings",
    "anonymous": "an MMDB file: geo.anonymous in the settings",
    "edge": 'role = "edge" in the source, if clients arrive there',
    "user": "the name that your gateway authenticated; for tokens a header that it sets",
    "api_key": "the header or parameter that carries the key; only a keyed hash of it is kept",
}


def log_formats(missing: Collection[str]) -> dict[str, str]:
    """Return by server the lines to paste so that missing columns are filled, as far as it can.

    Servers that can add nothing are left out.
    """
    found = {
        "nginx": _nginx(missing),
        "apache": _apache(missing),
        "envoy": _envoy(missing),
        "traefik": _traefik(missing),
        "caddy": _caddy(missing),
    }
    return {name: text for name, text in found.items() if text}


def _nginx(missing: Collection[str]) -> str:
    added = [text for name, text in _NGINX.items() if name in missing]
    if not added and not _COMBINED & set(missing):
        return ""
    base = (
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent"'
    )
    return f"log_format vedette '{' '.join([base, *added])}';"


def _apache(missing: Collection[str]) -> str:
    added = [text for name, text in _APACHE.items() if name in missing]
    if not added and not _COMBINED & set(missing):
        return ""
    base = '%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"'
    return f'LogFormat "{" ".join([base, *added])}" vedette'


def _envoy(missing: Collection[str]) -> str:
    added = dict.fromkeys(text for name, text in _ENVOY.items() if name in missing)
    if not added:
        return ""
    lines = ",\n    ".join(['"start_time": "%START_TIME%"', *added])
    return f"log_format:\n  json_format: {{\n    {lines}\n  }}"


def _traefik(missing: Collection[str]) -> str:
    headers = [text for name, text in _TRAEFIK_HEADERS.items() if name in missing]
    if headers:
        kept = ", ".join(f"{name}: keep" for name in headers)
        return f"accessLog: {{format: json, fields: {{headers: {{names: {{{kept}}}}}}}}}"
    return _TRAEFIK_JSON if _TRAEFIK_ALWAYS & set(missing) else ""


def _caddy(missing: Collection[str]) -> str:
    if "api_key" in missing:
        return "log {\n  format json\n}  # and servers { log_credentials }: keys are hidden else"
    return "log {\n  format json\n}" if _CADDY_ALWAYS & set(missing) else ""
