"""Shapes: what lines of one kind have in common, without anything that one of them says.

A shape holds signs of punctuation, the words of WORDS, marks such as <n> and <ip>, and names of
JSON fields that look like names. Every other character of a line is folded away, token by token,
so no secret can be in a shape. All patterns run in linear time over whole columns.
"""

from typing import Final

import polars as pl

from ingest.masking import looks_random, mask_series

#: A longer shape is cut, and says so.
SHAPE_LIMIT: Final = 200

#: Only so many characters of a line decide its shape.
LOOKED_AT: Final = 4096

#: Names of a JSON object's fields that are shown, in alphabetical order.
KEYS_SHOWN: Final = 20

#: Words that stay as they are, in any case of letters.
WORDS: Final = frozenset(
    {"TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "CRIT", "CRITICAL", "ALERT"}
    | {"EMERG", "FATAL", "PANIC", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
    | {"CONNECT", "HTTP", "HTTPS", "GRPC", "TCP", "UDP", "TLS", "NULL", "TRUE", "FALSE"}
    | {"STDOUT", "STDERR"}
)

_TEXT: Final = "<text>"
_NUMBER: Final = "<n>"
_ADDRESS: Final = "<ip>"
_TIME: Final = "<time>"
_WORD: Final = "<word>"
_PATH: Final = "<path>"
_UNNAMED: Final = "<key>"

_MARKS: Final = (_TEXT, _NUMBER, _ADDRESS, _TIME)
_KEPT: Final = frozenset({*_MARKS, f"HTTP/{_NUMBER}"})
_SIGNS: Final = r"\"\[\](){}<>|,;="
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_IPV4: Final = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?::[0-9]+)?"
_IPV6: Final = (
    r"(?:[0-9A-Fa-f]{1,4}:){1,6}:[0-9A-Fa-f:.]*|::[0-9A-Fa-f:.]+"
    r"|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
)
_ZONE: Final = r"(?:Z| ?[+-]<n>| UTC)?"

#: Tokens of nothing else stay.
_PUNCTUATION: Final = "-+*:.!?#/\\&%@_~^$`'\"[](){}<>|,;="

#: Applied to every line; what remains has few distinct texts.
_COARSE: Final = (
    (r'"(?:[^"\\]|\\.)*(?:"|$)', f'"{_TEXT}"'),
    (rf"{_IPV4}|{_IPV6}", _ADDRESS),
    (r"[0-9][0-9A-Fa-f.:]*", _NUMBER),
)

#: Applied to distinct texts only.
_FINE: Final = (
    (rf"<n>/{_MONTH}/<n>{_ZONE}", _TIME),
    (rf"<n>[-/]<n>[-/]<n>[T ]<n>(?:,<n>)?{_ZONE}", _TIME),
    (rf"(?:[A-Z][a-z]{{2}} )?{_MONTH} {{1,2}}<n> <n>(?: <n>)?", _TIME),
)

_TOKEN: Final = rf"(?:[^\s{_SIGNS}]|{'|'.join(_MARKS)})+|[{_SIGNS}]|\s+"

_VALUE: Final = (
    r':\s*(?:"(?:[^"\\]|\\.)*(?:"|$)|-?[0-9][0-9.eE+-]*|true|false|null'
    r'|\[(?:[^\[\]{}"]|"(?:[^"\\]|\\.)*")*\])'
)
_KEY: Final = r'"(?:[^"\\]|\\.)*"\s*:'
_NAME: Final = r"^[A-Za-z_@][A-Za-z0-9_.@-]{0,39}$"


def shapes(texts: pl.Series) -> pl.Series:
    """Return the shape of each line (String, no nulls, at most SHAPE_LIMIT characters).

    A line's shape depends on that line only. An object is known by the names of its fields at
    any depth, in alphabetical order.
    """
    objects = texts.str.contains(r"^\s*\{").fill_null(value=False)
    if not objects.any():
        return _text_shapes(texts.fill_null("")).rename(texts.name)
    if objects.all():
        return _object_shapes(texts).rename(texts.name)
    frame = pl.DataFrame({"text": texts, "object": objects}).with_row_index("row")
    parts = [
        frame.filter("object").with_columns(shape=_object_shapes(texts.filter(objects))),
        frame.filter(~pl.col("object")).with_columns(
            shape=_text_shapes(texts.filter(~objects).fill_null(""))
        ),
    ]
    return pl.concat(parts).sort("row")["shape"].rename(texts.name)


def is_name(names: pl.Series) -> pl.Series:
    """Mark names of fields that may be shown: short, plain, and not like a secret."""
    plain = names.str.contains(_NAME) & (mask_series(names) == names)
    calm = pl.Series([not looks_random(name) for name in names.to_list()], dtype=pl.Boolean)
    return plain & calm


def _text_shapes(texts: pl.Series) -> pl.Series:
    coarse = texts.str.head(LOOKED_AT)
    for pattern, mark in _COARSE:
        coarse = coarse.str.replace_all(pattern, mark)
    distinct = coarse.unique(maintain_order=True)
    return _looked_up(coarse, distinct, _fine_shapes(distinct))


def _fine_shapes(texts: pl.Series) -> pl.Series:
    folded = texts
    for pattern, mark in _FINE:
        folded = folded.str.replace_all(pattern, mark)
    tokens = pl.DataFrame({"token": folded.str.extract_all(_TOKEN)}).with_row_index("row")
    flat = tokens.explode("token", keep_nulls=False, empty_as_null=False)
    distinct = flat["token"].unique(maintain_order=True)
    marks = pl.Series([_mark(token) for token in distinct.to_list()], dtype=pl.String)
    flat = flat.with_columns(mark=_looked_up(flat["token"], distinct, marks))
    joined = flat.group_by("row").agg(pl.col("mark").str.join("").alias("shape"))
    shape = tokens.select("row").join(joined, on="row", how="left", maintain_order="left")["shape"]
    shape = shape.fill_null("").str.strip_chars().str.replace_all(f"{_WORD}(?: {_WORD})+", _TEXT)
    return _cut(shape)


def _mark(token: str) -> str:
    """Return what stands for a token: the only place where characters of a line may pass."""
    if token in _KEPT or token.rstrip(":").upper() in WORDS:
        return token
    if token.isspace():
        return " "
    if not token.strip(_PUNCTUATION):
        return token[:3]
    if token.strip("+-") == _NUMBER:
        return _NUMBER
    return _PATH if token.startswith("/") else _WORD


def _object_shapes(texts: pl.Series) -> pl.Series:
    whole = texts.str.contains(r"\}\s*$")
    coarse = texts.str.head(LOOKED_AT).str.replace_all(_VALUE, ":0")
    distinct = coarse.unique(maintain_order=True)
    names = _looked_up(coarse, distinct, _key_lists(distinct))
    frame = pl.DataFrame({"names": names, "whole": whole})
    ending = pl.when("whole").then(pl.lit("}")).otherwise(pl.lit(", ..."))
    return frame.select(pl.concat_str(pl.lit("{"), _cut_expr(pl.col("names")), ending)).to_series()


def _key_lists(texts: pl.Series) -> pl.Series:
    """Return the names in each text, in alphabetical order, as one text."""
    keys = pl.DataFrame({"key": texts.str.extract_all(_KEY)}).with_row_index("row")
    flat = keys.explode("key", keep_nulls=False, empty_as_null=False).with_columns(
        pl.col("key").str.replace(r'"\s*:$', "").str.strip_prefix('"')
    )
    distinct = flat["key"].unique(maintain_order=True)
    shown = pl.DataFrame({"key": distinct, "name": is_name(distinct)}).select(
        pl.when("name").then("key").otherwise(pl.lit(_UNNAMED))
    )
    flat = flat.with_columns(name=_looked_up(flat["key"], distinct, shown.to_series()))
    ordered = pl.col("name").unique().sort()
    listed = flat.group_by("row").agg(
        pl.concat_str(
            ordered.head(KEYS_SHOWN).str.join(", "),
            pl.when(pl.col("name").n_unique() > KEYS_SHOWN)
            .then(pl.lit(", ..."))
            .otherwise(pl.lit("")),
        ).alias("names")
    )
    joined = keys.select("row").join(listed, on="row", how="left", maintain_order="left")
    return joined["names"].fill_null("")


def _cut(shape: pl.Series) -> pl.Series:
    return shape.to_frame("shape").select(_cut_expr(pl.col("shape"))).to_series()


def _cut_expr(shape: pl.Expr) -> pl.Expr:
    limit = SHAPE_LIMIT - len("{, ...")
    cut = pl.concat_str(shape.str.head(limit - 3), pl.lit("..."))
    return pl.when(shape.str.len_chars() > limit).then(cut).otherwise(shape)


def _looked_up(values: pl.Series, distinct: pl.Series, results: pl.Series) -> pl.Series:
    known = pl.DataFrame({"value": distinct, "result": results})
    frame = values.rename("value").to_frame()
    return frame.join(known, on="value", how="left", maintain_order="left")["result"]
