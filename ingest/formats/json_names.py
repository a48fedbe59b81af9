"""Field names that JSON access logs use, tried in this order when no mapping names a column."""

from typing import Final

#: Duration column -> microseconds in one of its units.
DURATIONS: Final = {
    "duration_us": 1.0,
    "duration_ms": 1e3,
    "duration_s": 1e6,
    "duration_ns": 1e-3,
}

#: Column -> names. Besides event columns: `request` is a whole request line, `uri` a path with
#: its query, `start` the time when the request began (its duration is added), `duration_s`,
#: `duration_ms` and `duration_ns` are durations in other units.
DEFAULT_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "timestamp": ("@timestamp", "timestamp", "time", "ts", "time_iso8601", "time_local", "msec"),
    "start": ("StartUTC", "start_time", "event.start"),
    "service": ("service.name", "service", "ServiceName"),
    "environment": ("service.environment", "environment", "env"),
    "client_ip": (
        "client.ip",
        "source.ip",
        "client.address",
        "source.address",
        "client_ip",
        "remote_addr",
        "remote_ip",
        "clientip",
        "ClientHost",
        "request.remote_ip",
        "request.client_ip",
        "ClientAddr",
        "ip",
        "client",
    ),
    "user": ("user.name", "user.id", "remote_user", "user_id", "user", "ClientUsername"),
    "method": (
        "http.request.method",
        "request_method",
        "method",
        "RequestMethod",
        "request.method",
        "verb",
    ),
    "request": ("request", "request_line"),
    "uri": ("request_uri", "uri", "RequestPath", "request.uri", "url.original"),
    "path": ("url.path", "path"),
    "query": ("url.query", "query_string", "args", "query"),
    "scheme": ("url.scheme", "scheme", "RequestScheme"),
    "host": ("url.domain", "http_host", "host", "RequestHost", "request.host", "server_name"),
    "status": (
        "http.response.status_code",
        "status",
        "status_code",
        "DownstreamStatus",
        "response",
    ),
    "request_bytes": (
        "http.request.bytes",
        "request_length",
        "request_bytes",
        "bytes_read",
        "RequestContentSize",
    ),
    "response_bytes": (
        "http.response.bytes",
        "http.response.body.bytes",
        "body_bytes_sent",
        "bytes_sent",
        "response_bytes",
        "bytes",
        "size",
        "DownstreamContentSize",
    ),
    "duration_us": ("duration_us",),
    "duration_ms": ("duration_ms", "response_time_ms", "latency_ms", "responseTime"),
    "duration_s": ("request_time", "duration", "duration_s", "latency"),
    "duration_ns": ("event.duration", "Duration"),
    "user_agent": (
        "user_agent.original",
        "http_user_agent",
        "user_agent",
        "userAgent",
        "agent",
        "request_User-Agent",
        "request.headers.User-Agent.0",
    ),
    "referrer": (
        "http.request.referrer",
        "http_referer",
        "referer",
        "referrer",
        "request_Referer",
        "request.headers.Referer.0",
    ),
    "protocol": ("server_protocol", "protocol", "proto", "RequestProtocol", "request.proto"),
    "request_id": ("http.request.id", "request_id", "trace.id", "x_request_id", "requestId"),
}

#: What a mapping may name.
MAPPABLE: Final = frozenset(DEFAULT_NAMES)
