"""Evidence: a few events as one masked line each, built from structured fields only."""

import hashlib
import re
from typing import Any, Final

import polars as pl

from ingest.events import EVENT_SCHEMA, UTC_TIME
from ingest.mask_rules import MASK
from ingest.masking import mask_series, printable

EVIDENCE_SCHEMA: Final = pl.Schema(
    {
        "time": UTC_TIME,
        "partition": pl.String(),
        "position": pl.Int64(),
        "text": pl.String(),
        "path": pl.String(),
        "status": pl.Int64(),
        "service": pl.String(),
        "country": pl.String(),
        "asn": pl.Int64(),
    }
)

#: What evidence shows of an event.
SHOWN: Final = (
    "timestamp",
    "partition",
    "position",
    "method",
    "path",
    "query",
    "status",
    "response_bytes",
    "user_agent",
    "request_raw",
    "service",
    "country",
    "asn",
)

SHOWN_SCHEMA: Final = pl.Schema({name: EVENT_SCHEMA[name] for name in SHOWN})

PATH_LIMIT: Final = 120
QUERY_KEYS: Final = 8

METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
    | {"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"}
    | {"PURGE", "TRACK", "DEBUG"}
)

#: Product families of user agents, the most telling first.
FAMILIES: Final = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("sqlmap", "sqlmap"),
        ("nikto", "nikto"),
        ("nuclei", "nuclei"),
        ("nmap", "nmap"),
        ("masscan", "masscan"),
        ("zgrab", "zgrab"),
        ("gobuster", "gobuster"),
        ("ffuf", "fuzz faster|ffuf"),
        ("wpscan", "wpscan"),
        ("hydra", "hydra"),
        ("Googlebot", "googlebot"),
        ("bingbot", "bingbot"),
        ("YandexBot", "yandex"),
        ("Baiduspider", "baidu"),
        ("AhrefsBot", "ahrefs"),
        ("Uptime-Kuma", "uptime-kuma"),
        ("kube-probe", "kube-probe"),
        ("Prometheus", "prometheus"),
        ("python-requests", "python-requests"),
        ("python", r"python|aiohttp|httpx"),
        ("Go-http-client", "go-http-client"),
        ("curl", r"\bcurl/|^curl"),
        ("Wget", "wget"),
        ("okhttp", "okhttp"),
        ("axios", "axios"),
        ("node", r"node-fetch|undici|\bnode\b"),
        ("Java", r"\bjava/|apache-httpclient"),
        ("PostmanRuntime", "postmanruntime"),
        ("Dalvik", "dalvik"),
        ("Edge", r"\bedg(?:e|a|ios)?/"),
        ("Opera", r"\bopr/|opera"),
        ("Firefox", r"firefox/|fxios"),
        ("Chrome", r"chrom(?:e|ium)/|crios"),
        ("Safari", r"safari/"),
        ("Internet Explorer", r"msie |trident/"),
    )
)

#: What a country looks like: ISO 3166-1 alpha-2.
_COUNTRY: Final = "^[A-Z]{2}$"

_LONG_RUN: Final = "[A-Za-z0-9]{16,}"
_SIMPLE_KEY: Final = re.compile(r"[a-z][a-z_.-]{0,23}", re.IGNORECASE)


def evidence_columns(events: pl.DataFrame) -> pl.DataFrame:
    """Render a few events as a frame of EVIDENCE_SCHEMA, in their order.

    `events` has the columns of SHOWN, at least. `text` shows method, masked path, the query's key
    names, status, bytes and the user agent's product family; never user, referrer, host or raw
    text. For an unreadable request it shows its length and the start of its SHA-256. `service` is
    masked; `country` is null where the log says anything but two letters.
    """
    paths = safe_paths(events["path"])
    texts = [
        _text(row, path) for row, path in zip(events.iter_rows(named=True), paths, strict=True)
    ]
    frame = events.select(
        "partition",
        "position",
        "status",
        "asn",
        time="timestamp",
        text=pl.Series(texts, dtype=pl.String),
        country=pl.when(pl.col("country").str.contains(_COUNTRY)).then(pl.col("country")),
        service=_services(events["service"]),
    )
    return frame.with_columns(path=paths).select(EVIDENCE_SCHEMA.names()).cast(EVIDENCE_SCHEMA)


def safe_paths(paths: pl.Series) -> pl.Series:
    """Return paths masked, printable, and cut at 120 characters; null stays null.

    Stricter than `mask`, as this is kept: every run of 16 letters and digits is a secret here.
    """
    masked = mask_series(paths).str.replace_all(_LONG_RUN, MASK)
    shown = [None if path is None else _cut(printable(path)) for path in masked.to_list()]
    return pl.Series("path", shown, dtype=pl.String)


def _services(names: pl.Series) -> pl.Series:
    """Return names of services masked, as findings about services are called, and printable."""
    masked = mask_series(names).to_list()
    return pl.Series("service", [n and printable(n) for n in masked], dtype=pl.String)


def user_agent_family(user_agent: str | None) -> str | None:
    """Return the product family of a user agent, "other" if it is none of FAMILIES."""
    if user_agent is None:
        return None
    for name, pattern in FAMILIES:
        if pattern.search(user_agent):
            return name
    return "other"


def query_keys(query: str) -> str:
    """Return the query's key names with every value as `***`; odd keys are masked, too."""
    pairs = query.split("&", QUERY_KEYS)
    shown = []
    for pair in pairs[:QUERY_KEYS]:
        key = pair.partition("=")[0]
        name = key if "=" in pair and _SIMPLE_KEY.fullmatch(key) else MASK
        shown.append(f"{name}={MASK}")
    return "&".join(shown) + ("&..." if len(pairs) > QUERY_KEYS else "")


def _text(row: dict[str, Any], path: str | None) -> str:
    parts = []
    if row["request_raw"] is not None:
        raw = str(row["request_raw"]).encode()
        digest = hashlib.sha256(raw).hexdigest()[:8]
        parts.append(f"unreadable request, {len(raw)} bytes, sha256 {digest}")
    elif path is None:
        parts.append("no request")
    else:
        method = row["method"] if row["method"] in METHODS else "OTHER"
        query = "" if row["query"] is None else f"?{query_keys(row['query'])}"
        parts.append(f"{method} {path}{query}")
    if row["status"] is not None:
        parts.append(str(row["status"]))
    if row["response_bytes"] is not None:
        parts.append(f"{row['response_bytes']} B")
    family = user_agent_family(row["user_agent"])
    if family is not None:
        parts.append(f'"{family}"')
    return " ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= PATH_LIMIT else text[: PATH_LIMIT - 3] + "..."
