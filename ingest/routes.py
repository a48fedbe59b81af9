"""Route templates: the same for all paths of one endpoint.

They come from the user's OpenAPI documents; else what varies in a path becomes {id}, {uuid},
{hash}, {date}, {email} or {token}, and {id} where it was learned that a segment varies.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from ingest.declared_paths import DeclaredPaths
from ingest.distinct import Distinct
from ingest.route_documents import RouteDocument

#: Templates of longer paths end in "/{...}".
SEGMENT_LIMIT: Final = 12
LENGTH_LIMIT: Final = 256
CUT: Final = "/{...}"

#: How a learned template ends.
VARIES: Final = "/{id}"

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
_WITHIN: Final = tuple((name, f"/(?:{kind})/") for name, kind in _KINDS)

#: What most paths that vary end in; quicker to find there than anywhere.
_ENDING_NUMBER: Final = r"/-?[0-9]+$"
_ENDING_HASH: Final = r"/[0-9A-Fa-f]{16,128}$"

#: What every path has that `_KINDS` would change, and few others: no counted repetition of
#: more than 16, which keeps the automaton small and the pass quick.
_MAY_VARY: Final = r"/-?[0-9]|[@%]|[0-9A-Za-z_-]{16}|/eyJ"

_MANY_SEGMENTS: Final = rf"^(?:[^/]*/){{{SEGMENT_LIMIT + 1}}}"


class RouteTemplates:
    """The templates of paths: a pure function of the path, its service, and what it is made of."""

    def __init__(
        self, documents: Sequence[RouteDocument] = (), learned: Iterable[str] = ()
    ) -> None:
        """Use documents, the first that has a path counting, and learned templates.

        A learned template ends in "/{id}" and says that this segment varies below what comes
        before it: "/users/{id}", or "shop /users/{id}" for the service "shop" only. Documents
        and learned templates without a service are for all. Raises ValueError for another text.
        """
        self._documents = [
            (document.service, DeclaredPaths(document.templates)) for document in documents
        ]
        self.learned = tuple(sorted(set(learned)))
        self._varying = _by_depth(self.learned)
        self._by_service = any(
            service is not None
            for service in [service for service, _ in self._documents]
            + [service for parents in self._varying.values() for service in parents]
        )
        described = [
            *[[document.service, *document.templates] for document in documents],
            self.learned,
        ]
        self.fingerprint = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]

    def of(self, paths: pl.Series, services: pl.Series | None = None) -> pl.Series:
        """Return the template of each path; null stays null.

        A method does not matter: OpenAPI finds a path first and then looks for its methods.
        """
        columns = [paths.rename("path")]
        if self._by_service and services is not None:
            columns.append(services.rename("service"))
        distinct = Distinct.of(pl.DataFrame(columns))
        rows = distinct.rows
        theirs = rows["service"] if "service" in rows.columns else None
        found = self._declared(rows["path"], theirs)
        rest = (found.is_null() & rows["path"].is_not_null()).arg_true()
        if len(rest):
            patterned = _patterned(rows["path"].gather(rest))
            varied = self._varied(patterned, None if theirs is None else theirs.gather(rest))
            found = found.scatter(rest, varied)
        return distinct.spread(found).rename(paths.name)

    def _declared(self, paths: pl.Series, services: pl.Series | None) -> pl.Series:
        found = pl.Series([None], dtype=pl.String).new_from_index(0, len(paths))
        for service, declared in self._documents:
            asked = found.is_null() & _is_of(service, services, len(paths))
            at = asked.arg_true()
            if len(at):
                found = found.scatter(at, declared.match(paths.gather(at)))
        return found

    def _varied(self, templates: pl.Series, services: pl.Series | None) -> pl.Series:
        """Put {id} where it was learned, the leftmost first: the next depends on it."""
        for depth, by_service in self._varying.items():
            parts = templates.str.extract_groups(rf"^((?:/[^/]*){{{depth}}})/([^/{{][^/]*)(.*)$")
            parents, rest = parts.struct.field("1"), parts.struct.field("3")
            for service, known in by_service.items():
                varying = parents.is_in(list(known)) & _is_of(service, services, len(templates))
                at = varying.fill_null(value=False).arg_true()
                if len(at):
                    replaced = parents.gather(at) + "/{id}" + rest.gather(at)
                    templates = templates.scatter(at, replaced)
        return templates


def route_templates(paths: pl.Series) -> pl.Series:
    """Return the template of each path by patterns alone; null stays null.

    A template depends on its path alone. Numbers, UUIDs, hashes (16 or more hexadecimal digits),
    dates, e-mails and long tokens (32 or more characters) that are a whole segment are replaced;
    a path of more than 12 segments or 256 characters is cut.
    """
    return _PATTERNS_ONLY.of(paths)


def routes(service: pl.Expr | None, method: pl.Expr, template: pl.Expr) -> pl.Expr:
    """Return "service METHOD /template", without the service if there is none.

    Null if there is no method or no template.
    """
    if service is None:
        return pl.concat_str(method, template, separator=" ")
    told = pl.concat_str(service, method, template, separator=" ", ignore_nulls=True)
    return pl.when(method.is_not_null(), template.is_not_null()).then(told)


def _patterned(distinct: pl.Series) -> pl.Series:
    templates = distinct.str.replace(_ENDING_NUMBER, "/{id}")
    long = (templates.str.len_bytes() > LENGTH_LIMIT) | templates.str.contains(_MANY_SEGMENTS)
    if long.any():
        templates = templates.scatter(long.arg_true(), _cut(templates.filter(long)))
    templates = templates.str.replace(_ENDING_HASH, "/{hash}")
    more = templates.str.contains(_MAY_VARY)
    if not more.any():
        return templates
    return templates.scatter(more.arg_true(), _slowly(templates.filter(more)))


def _by_depth(learned: Iterable[str]) -> dict[int, dict[str | None, set[str]]]:
    """Return the parents of what varies, by how many segments they have, and by service."""
    found: dict[int, dict[str | None, set[str]]] = {}
    for text in learned:
        start = text.find("/")
        service, template = text[:start], text[start:]
        if start < 0 or not template.endswith(VARIES) or (service and not service.endswith(" ")):
            raise ValueError(
                f"{text[:80]!r} is no learned route: expected one like /users/{{id}}, or"
                " shop /users/{id} for one service"
            )
        parent = template.removesuffix(VARIES)
        found.setdefault(parent.count("/"), {}).setdefault(service[:-1] or None, set()).add(parent)
    return dict(sorted(found.items()))


def _is_of(service: str | None, services: pl.Series | None, height: int) -> pl.Series:
    if service is None:
        return pl.Series([True]).new_from_index(0, height)
    if services is None:
        return pl.Series([False]).new_from_index(0, height)
    return services.eq_missing(service)


def _slowly(paths: pl.Series) -> pl.Series:
    """Replace every kind of segment, each only in the paths that have it."""
    closed = (paths + "/").rename("path").to_frame()
    path = pl.col("path")
    having = closed.select(path.str.contains(pattern).alias(name) for name, pattern in _WITHIN)
    templates = closed.to_series()
    for name, pattern in _WITHIN:
        at = having[name].arg_true()
        if len(at):  # neighbours share a slash, so that they take turns
            turn = path.str.replace_all(pattern, f"/{name}/")
            replaced = templates.gather(at).to_frame().select(turn).select(turn).to_series()
            templates = templates.scatter(at, replaced)
    return templates.str.strip_suffix("/")


def _cut(paths: pl.Series) -> pl.Series:
    """Return the beginnings of long paths, and that they are cut."""
    few = pl.col("path").str.extract(rf"^((?:/?[^/]*){{{SEGMENT_LIMIT}}})", 1)
    short = few.str.head(LENGTH_LIMIT).str.replace(r"/[^/]*$", "")
    kept = pl.when(few.str.len_bytes() > LENGTH_LIMIT).then(short).otherwise(few)
    return paths.rename("path").to_frame().select(kept + CUT).to_series()


_PATTERNS_ONLY: Final = RouteTemplates()
