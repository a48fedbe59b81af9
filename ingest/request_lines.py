"""Request lines, split into method, target and protocol; what scanners send is kept apart."""

from typing import Final

import numpy as np
import polars as pl

#: Columns that a request line gives; all text.
REQUEST_COLUMNS: Final = ("method", "scheme", "host", "path", "query", "protocol", "request_raw")

#: Unreadable request lines are cut to this many characters.
RAW_LIMIT: Final = 4096

_METHOD: Final = r"[A-Z][A-Z_-]{0,19}"
#: Methods tell upper case from lower, and servers log what they refuse.
_ANY_METHOD: Final = r"[A-Za-z][A-Za-z_-]{0,19}"
_PROTOCOL: Final = r"HTTP/[0-9](?:\.[0-9])?"
_LINE: Final = (
    rf"(?s)^(?P<method>{_ANY_METHOD}) +(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?# ]*)"
    rf"(?P<rest>[/?#].*?|)|(?P<target>/.*?|\*))(?: +(?P<protocol>{_PROTOCOL}))? *$"
)
_CONNECT: Final = (
    rf"^(?P<method>CONNECT) +(?P<host>(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#\[\]:@]+):[0-9]{{1,5}})"
    rf"(?: +(?P<protocol>{_PROTOCOL}))? *$"
)
_USUAL: Final = rf"^{_METHOD} /[^ ]* {_PROTOCOL}$"


def with_requests(frame: pl.LazyFrame) -> pl.DataFrame:
    """Replace the text column `request` ("GET /a?b HTTP/1.1") by REQUEST_COLUMNS.

    No request ("-", "", null) gives only nulls. An unreadable one gives only request_raw, as does
    one without protocol whose method is not in upper case. The
    query comes without its question mark and is null if empty. CONNECT has a host and no path. The
    frame must have no columns of these names.
    """
    given = frame.collect()
    requests = given["request"]
    parts = requests.str.splitn(" ", 3).struct
    target = parts.field("field_1").str.splitn("?", 2).struct
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, given.height)
    done = given.with_columns(
        requests.str.contains(_USUAL).fill_null(value=False).alias("usual"),
        parts.field("field_0").alias("method"),
        nothing.alias("scheme"),
        nothing.alias("host"),
        target.field("field_0").alias("path"),
        target.field("field_1").alias("query"),
        parts.field("field_2").alias("protocol"),
        nothing.alias("request_raw"),
    )
    if (done["query"] == "").any():
        done = done.with_columns(query=pl.when(pl.col("query") != "").then("query"))
    usual = done["usual"]
    if not usual.all():
        done = _repaired(done, usual)
    return done.drop("request", "usual")


def split_requests(requests: pl.Series) -> pl.DataFrame:
    """Return REQUEST_COLUMNS for a column of request lines; see `with_requests`."""
    return with_requests(requests.rename("request").to_frame().lazy()).select(REQUEST_COLUMNS)


def split_target(target: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return (path, query) of request targets; an empty query is null."""
    parts = target.str.splitn("?", 2)
    query = parts.struct.field("field_1")
    return parts.struct.field("field_0"), pl.when(query != "").then(query)


def _repaired(frame: pl.DataFrame, usual: pl.Series) -> pl.DataFrame:
    """Split the requests that are not usual with care, each distinct one once."""
    odd = frame["request"].filter(~usual).rename("request")
    distinct = odd.unique().drop_nulls()
    known = pl.concat([distinct.to_frame(), _split_odd(distinct)], how="horizontal")
    careful = odd.to_frame().join(known, on="request", how="left", maintain_order="left")
    rows = np.cumsum(~usual.to_numpy()) - 1
    where = pl.DataFrame({"row": rows, "usual": usual}).select(
        pl.when(~pl.col("usual")).then("row").cast(pl.UInt32)
    )
    odd_rows = where.to_series()
    return frame.with_columns(
        pl.when("usual").then(name).otherwise(careful[name].gather(odd_rows)).alias(name)
        for name in REQUEST_COLUMNS
    )


def _split_odd(requests: pl.Series) -> pl.DataFrame:
    absent = requests.str.strip_chars().is_in(["", "-"])
    found = requests.str.extract_groups(_LINE).struct.unnest()
    told = found["protocol"].is_not_null() | ~found["method"].str.contains("[a-z]")
    found = found.select(pl.when(told).then(pl.all()))
    connects = requests.str.extract_groups(_CONNECT).struct.unnest()
    found = found.with_columns(
        pl.coalesce(found[name], connects[name]).alias(name) for name in connects.columns
    )
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
    raw = pl.when(unreadable).then(requests.str.head(RAW_LIMIT))
    return columns.with_columns(request_raw=raw)
