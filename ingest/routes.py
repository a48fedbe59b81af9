"""Route templates: what varies in a path becomes {id}, {uuid}, {hash}, {date}, {email}, {token}."""

from typing import Final

import polars as pl

#: Templates of longer paths end in "/{...}".
SEGMENT_LIMIT: Final = 12
LENGTH_LIMIT: Final = 256
CUT: Final = "/{...}"

_UUID: Final = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_NAME: Final = r"[A-Za-z0-9._+%'-]{1,64}"
_DAY: Final = r"(?:19|20)[0-9]{2}-[01][0-9](?:-[0-3][0-9])?"

#: What a whole segment must be, in order of precedence.
_KINDS: Final = (
    ("{id}", r"-?[0-9]+"),
    ("{uuid}", _UUID),
    ("{date}", rf"{_DAY}(?:[T_ ][0-9:.Z+-]{{2,20}})?"),
    ("{email}", rf"{_NAME}(?:@|%40)[A-Za-z0-9.-]{{1,100}}\.[A-Za-z]{{2,24}}"),
    ("{hash}", r"[0-9A-Fa-f]{16,128}"),
    ("{token}", r"[A-Za-z0-9_-]{32,}={0,2}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
)
_ENDING_NUMBER: Final = r"/-?[0-9]+$"

#: What every path has that `_KINDS` would change, and few others: no counted repetition of
#: more than 16, which keeps the automaton small and the pass quick.
_MAY_VARY: Final = r"/-?[0-9]|[@%]|[0-9A-Za-z_-]{16}|/eyJ"

_MANY_SEGMENTS: Final = rf"^(?:[^/]*/){{{SEGMENT_LIMIT + 1}}}"


def route_templates(paths: pl.Series) -> pl.Series:
    """Return the template of each path; null stays null.

    A template depends on its path alone. Numbers, UUIDs, hashes (16 or more hexadecimal digits),
    dates, e-mails and long tokens (32 or more characters) that are a whole segment are replaced;
    a path of more than 12 segments or 256 characters is cut.
    """
    distinct = paths.unique().drop_nulls().rename("path")
    first = distinct.str.replace(_ENDING_NUMBER, "/{id}")
    more = first.str.contains(_MAY_VARY) | _is_long(first)
    templates = first
    if more.any():
        templates = first.scatter(more.arg_true(), _slowly(first.filter(more)))
    known = pl.DataFrame({"path": distinct, "template": templates})
    rows = paths.rename("path").to_frame().join(known, on="path", how="left", maintain_order="left")
    return rows["template"].rename(paths.name)


def routes(service: pl.Expr | None, method: pl.Expr, template: pl.Expr) -> pl.Expr:
    """Return "service METHOD /template", without the service if there is none.

    Null if there is no method or no template.
    """
    plain = pl.concat_str(method, template, separator=" ")
    if service is None:
        return plain
    return pl.coalesce(pl.concat_str(service, plain, separator=" "), plain)


def _slowly(paths: pl.Series) -> pl.Series:
    """Replace every kind of segment, each only in the paths that have it."""
    templates = _cut(paths) if _is_long(paths).any() else paths
    for name, kind in _KINDS:
        pattern = f"/(?:{kind})(/|$)"
        having = templates.str.contains(pattern).arg_true()
        while len(having):  # neighbours share a slash, so that they take turns
            replaced = templates[having].str.replace_all(pattern, f"/{name}$1")
            templates = templates.scatter(having, replaced)
            having = having.filter(replaced.str.contains(pattern))
    return templates


def _is_long(paths: pl.Series) -> pl.Series:
    return (paths.str.len_bytes() > LENGTH_LIMIT) | paths.str.contains(_MANY_SEGMENTS)


def _cut(paths: pl.Series) -> pl.Series:
    few = pl.col("path").str.extract(rf"^((?:/?[^/]*){{{SEGMENT_LIMIT}}})", 1)
    short = few.str.head(LENGTH_LIMIT).str.replace(r"/[^/]*$", "")
    kept = pl.when(few.str.len_bytes() > LENGTH_LIMIT).then(short).otherwise(few)
    frame = pl.DataFrame({"path": paths, "long": _is_long(paths)})
    return frame.select(pl.when("long").then(kept + CUT).otherwise("path")).to_series()
