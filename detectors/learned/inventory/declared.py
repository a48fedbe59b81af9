"""What OpenAPI documents say of an endpoint: declared, deprecated, or nothing."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

import polars as pl

from ingest.declared_paths import DeclaredPaths
from ingest.route_documents import RouteDocument

Standing = Literal["declared", "deprecated", "undeclared", "undeclared method"]

_VERSION: Final = re.compile(r"v[0-9]+(\.[0-9]+)*", re.IGNORECASE)
_ANY_VERSION: Final = "{version}"

#: What browsers and crawlers fetch beside an API, checks of health, and the root.
_BESIDE: Final = re.compile(
    r"/|.*\.(css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|eot|webmanifest)"
    r"|/(robots|humans|ads|security)\.txt|/sitemap[^/]*\.xml|/(\.well-known)(/.*)?"
    r"|(/[^/]+)*/(health|healthz|healthcheck|live|livez|ready|readyz|ping|status)(/[^/]*)?",
    re.IGNORECASE,
)

#: Methods that other ones bring along.
_IMPLIED: Final = {"HEAD": "GET"}


def beside(template: str) -> bool:
    """Whether a path is no endpoint of an API: a file of a page, a check of health, the root."""
    return _BESIDE.fullmatch(template) is not None


class _Document:
    """One document: its paths, the methods of each, and where it speaks for all there is."""

    def __init__(self, document: RouteDocument) -> None:
        self.service = document.service
        self.paths = DeclaredPaths(document.templates)
        self.methods: dict[str, dict[str, bool]] = defaultdict(dict)
        for operation in document.operations:
            self.methods[operation.template][operation.method] = operation.deprecated
        self._scope = _scope(document.templates)

    def covers(self, template: str) -> bool:
        """Whether the document would declare such a path, if it were meant to be there."""
        return _segments(template)[: len(self._scope)] == self._scope

    def matched(self, templates: pl.Series) -> list[str | None]:
        """Return the declared path of each of some templates of routes."""
        return self.paths.match(templates).to_list()


class Declarations:
    """All documents together; later versions in documents of their own add to the earlier."""

    def __init__(self, documents: Sequence[RouteDocument]) -> None:
        self._documents = [_Document(document) for document in documents]

    def __bool__(self) -> bool:
        return bool(self._documents)

    def named(self, service: str | None) -> bool:
        """Whether a document is there for this service by its name."""
        return any(d.service is not None and d.service == service for d in self._documents)

    def standings(self, endpoints: Sequence[tuple[str | None, str, str]]) -> list[Standing | None]:
        """Return what the documents say of services, methods and templates of routes.

        None: no document speaks of such paths. HEAD goes with GET, and OPTIONS with every path.
        An operation is deprecated if all documents that have it say so. A path whose methods
        stand in another file has them all.
        """
        if not self._documents or not endpoints:
            return [None] * len(endpoints)
        templates = pl.Series([template for _, _, template in endpoints], dtype=pl.String)
        matched = zip(*(document.matched(templates) for document in self._documents), strict=True)
        return [
            self._standing(endpoint, paths)
            for endpoint, paths in zip(endpoints, matched, strict=True)
        ]

    def _standing(
        self, endpoint: tuple[str | None, str, str], paths: Sequence[str | None]
    ) -> Standing | None:
        service, method, template = endpoint
        ours = [
            (document, path)
            for document, path in zip(self._documents, paths, strict=True)
            if document.service in {None, service}
        ]
        having = [document.methods.get(path, {}) for document, path in ours if path is not None]
        if having:
            return _of_method(method, having)
        covered = any(document.covers(template) for document, _ in ours)
        return "undeclared" if covered and method != "OPTIONS" and not beside(template) else None


def _of_method(method: str, declared: Sequence[dict[str, bool]]) -> Standing:
    if method == "OPTIONS" or not all(declared):
        return "declared"
    for wanted in (method, _IMPLIED.get(method)):
        having = [methods[wanted] for methods in declared if wanted in methods]
        if having:
            return "deprecated" if all(having) else "declared"
    return "undeclared method"


def _segments(template: str) -> list[str]:
    """Return the segments of a path, versions alike: /v1 and /v2 are of one API."""
    return [
        _ANY_VERSION if _VERSION.fullmatch(segment) else segment
        for segment in template.split("/")[1:]
    ]


def _scope(templates: Sequence[str]) -> list[str]:
    """Return the segments that all paths of a document begin with, none of them a parameter."""
    common: list[str] | None = None
    for template in templates:
        parents = _segments(template)[:-1]
        if common is None:
            common = parents
        length = next(
            (n for n, (a, b) in enumerate(zip(common, parents, strict=False)) if a != b),
            min(len(common), len(parents)),
        )
        common = common[:length]
    fixed = [s == _ANY_VERSION or "{" not in s for s in common or []]
    return (common or [])[: fixed.index(False) if False in fixed else len(fixed)]
