"""Request lines, split into method, target and protocol; what scanners send is kept apart."""

from typing import Final

import polars as pl

#: Columns that a request line gives; all text.
REQUEST_COLUMNS: Final = (
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "protocol",
    "request_raw",
)

#: Unreadable request lines are cut to this many characters.
RAW_LIMIT: Final = 4096

_METHOD: Final = r"[A-Z][A-Z_-]{0,19}"
_PROTOCOL: Final = r"HTTP/[0-9](?:\.[0-9])?"
_LINE: Final = (
    rf"(?s)^(?P<method>{_METHOD}) +(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?# ]*)"
    rf"(?P<rest>[/?#].*?|)|(?P<target>/.*?|\*))(?: +(?P<protocol>{_PROTOCOL}))? *$"
)


def split_requests(requests: pl.Series) -> pl.DataFrame:
    """Return REQUEST_COLUMNS for request lines such as "GET /a?b HTTP/1.1".

    No request ("-", "", null) gives only nulls. An unreadable one gives only request_raw. The
    query comes without its question mark and is null if empty.
    """
    frame = requests.rename("request").to_frame()
    parts = (
        frame.select(pl.col("request").str.splitn(" ", 3).alias("parts"))
        .unnest("parts")
        .rename({"field_0": "method", "field_1": "target", "field_2": "protocol"})
    )
    usual = parts.select(
        (
            pl.col("method").str.contains(rf"^{_METHOD}$")
            & pl.col("target").str.starts_with("/")
            & pl.col("protocol").str.contains(rf"^{_PROTOCOL}$")
        ).fill_null(value=False)
    ).to_series()
    if usual.all():
        return _with_target(parts)
    odd = frame["request"].filter(~usual).unique().drop_nulls()
    known = pl.concat([odd.to_frame(), _split_odd(odd)], how="horizontal")
    joined = pl.concat([frame, _with_target(parts)], how="horizontal").join(
        known, on="request", how="left", maintain_order="left", suffix="_odd"
    )
    return joined.select(
        pl.when(usual).then(name).otherwise(f"{name}_odd").alias(name) for name in REQUEST_COLUMNS
    )


def split_target(target: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return (path, query) of request targets; an empty query is null."""
    parts = target.str.splitn("?", 2)
    query = parts.struct.field("field_1")
    return parts.struct.field("field_0"), pl.when(query != "").then(query)


def _with_target(parts: pl.DataFrame) -> pl.DataFrame:
    path, query = split_target(pl.col("target"))
    nothing = pl.lit(None, dtype=pl.String)
    return parts.select(
        "method",
        scheme=nothing,
        host=nothing,
        path=path,
        query=query,
        protocol="protocol",
        request_raw=nothing,
    )


def _split_odd(requests: pl.Series) -> pl.DataFrame:
    absent = requests.str.strip_chars().is_in(["", "-"])
    found = requests.str.extract_groups(_LINE).struct.unnest()
    rest = pl.when(pl.col("rest").str.starts_with("/")).then("rest").otherwise("/" + pl.col("rest"))
    path, query = split_target(pl.coalesce("target", rest))
    bare_host = pl.col("host").str.replace(r"^.*@", "")
    columns = found.select(
        "method",
        scheme=pl.col("scheme").str.to_lowercase(),
        host=pl.when(bare_host != "").then(bare_host),
        path=path,
        query=query,
        protocol="protocol",
    )
    unreadable = found["method"].is_null() & ~absent
    return columns.with_columns(request_raw=pl.when(unreadable).then(requests.str.head(RAW_LIMIT)))
