"""OpenAPI documents: the operations that a service says it has."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from ingest.yaml_limits import LOADER, YamlLimits, check_yaml

SIZE_LIMIT: Final = 32 << 20
PATH_LIMIT: Final = 20_000
TEMPLATE_LENGTH: Final = 1024

_LIMITS: Final = YamlLimits(documents=1, values=5_000_000, depth=200, text=1 << 20)

#: Templates of one document: paths under several servers count once for each.
TEMPLATES_LIMIT: Final = 4 * PATH_LIMIT

#: Paths that the variables of one server may make.
_BASE_LIMIT: Final = 64

_METHODS: Final = frozenset(
    {"get", "head", "post", "put", "delete", "options", "trace", "patch", "query"}
)
_VERSIONS: Final = re.compile(r"3\.[0-9]+(\.[0-9]+)?(-.*)?|2\.0")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_BRACES: Final = re.compile(r"[^{}]*(?:\{[^{}/]+\}[^{}]*)*")


class RouteDocumentError(Exception):
    """A document cannot be used; the message names the file, the reason and the place in it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, the server's base path included: "GET", "/v1/users/{userId}"."""

    method: str
    template: str
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class RouteDocument:
    """What a document declares, in its order.

    `templates` are all paths with their base path; `operations` have those whose methods are in
    the document itself. `service` None: of every service.
    """

    name: str
    templates: tuple[str, ...]
    operations: tuple[Operation, ...]
    service: str | None = None


def load_document(path: Path, service: str | None = None) -> RouteDocument:
    """Read an OpenAPI 3 or Swagger 2 document, YAML or JSON. Raises RouteDocumentError."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise RouteDocumentError(f"{path}: {error.strerror}") from error
    if len(data) > SIZE_LIMIT:
        raise RouteDocumentError(f"{path}: larger than {SIZE_LIMIT >> 20} MiB")
    try:
        return _document(_tree(data), path.name, service)
    except ValueError as error:
        raise RouteDocumentError(f"{path}: {error}") from error


def _tree(data: bytes) -> Any:  # noqa: ANN401 - whatever the document holds
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}") from error
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return _yaml(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"neither JSON nor YAML: {error.msg} at {where}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        raise ValueError(f"no valid YAML: {error.problem}{where}") from error
    except yaml.YAMLError as error:
        raise ValueError("no valid YAML") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _yaml(text: str) -> Any:  # noqa: ANN401 - whatever the document holds
    check_yaml(text, _LIMITS)
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader


def _document(tree: object, name: str, service: str | None) -> RouteDocument:
    if not isinstance(tree, dict) or not {"openapi", "swagger"} & set(tree):
        raise ValueError("no OpenAPI document: it has neither `openapi` nor `swagger` at its top")
    version = str(tree.get("openapi", tree.get("swagger")))
    if not _VERSIONS.fullmatch(version):
        raise ValueError(f"OpenAPI version {version[:20]!r}: expected 3.x or Swagger 2.0")
    paths = tree.get("paths")
    if not isinstance(paths, dict):
        raise ValueError("`paths` is missing, or no mapping")  # noqa: TRY004 - it is about a file
    if len(paths) > PATH_LIMIT:
        raise ValueError(f"{len(paths)} paths, at most {PATH_LIMIT} can be used")
    bases = _swagger_bases(tree) if version == "2.0" else _bases(tree.get("servers"), ("",))
    templates: dict[str, None] = {}
    operations: dict[tuple[str, str], Operation] = {}
    for path, item in paths.items():
        if not isinstance(path, str) or path.startswith("x-"):
            continue
        item = _resolved(tree, item)  # noqa: PLW2901
        theirs = _bases(item.get("servers"), bases)
        templates.update((base + _checked(path), None) for base in theirs)
        for found in _operations(path, item, theirs):
            templates[found.template] = None
            operations[found.method, found.template] = found
        if len(templates) > TEMPLATES_LIMIT:
            raise ValueError(
                f"its paths under all its servers are more than {TEMPLATES_LIMIT:,}, too many"
            )
    return RouteDocument(name, tuple(templates), tuple(operations.values()), service)


def _checked(path: str) -> str:
    if not path.startswith("/") or not _BRACES.fullmatch(path) or len(path) > TEMPLATE_LENGTH:
        raise ValueError(
            f"the path {path[:80]!r} under `paths` is no path template: expected one like"
            " /users/{id}"
        )
    return path


def _operations(path: str, item: Mapping[str, Any], bases: tuple[str, ...]) -> Iterator[Operation]:
    for method, operation in item.items():
        if method in _METHODS and isinstance(operation, dict):
            deprecated = operation.get("deprecated") is True
            for base in _bases(operation.get("servers"), bases):
                yield Operation(method.upper(), base + path, deprecated)


def _resolved(tree: Mapping[str, Any], item: object) -> Mapping[str, Any]:
    """Return a path item; one that refers to another file says nothing of its methods."""
    reference = item.get("$ref") if isinstance(item, dict) else None
    if isinstance(reference, str) and reference.startswith("#/"):
        found: object = tree
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        item = found
    return item if isinstance(item, dict) else {}


def _swagger_bases(tree: Mapping[str, Any]) -> tuple[str, ...]:
    base = tree.get("basePath")
    return (_base(base),) if isinstance(base, str) else ("",)


def _bases(servers: object, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(servers, list) or not servers:
        return otherwise
    every = (base for server in servers if isinstance(server, dict) for base in _of_server(server))
    return tuple(dict.fromkeys(islice(every, TEMPLATES_LIMIT))) or otherwise


def _of_server(server: Mapping[str, Any]) -> Iterator[str]:
    """Yield the base paths of a server, for each value that its variables may have."""
    url, variables = server.get("url"), server.get("variables")
    if not isinstance(url, str):
        return
    names = list(dict.fromkeys(_VARIABLE.findall(url)))
    known = variables if isinstance(variables, dict) else {}
    choices = [_values(known.get(name), name) for name in names]
    for count, values in enumerate(product(*choices)):
        if count == _BASE_LIMIT:
            return
        chosen = url
        for name, value in zip(names, values, strict=True):
            chosen = chosen.replace(f"{{{name}}}", value)
        yield _base(chosen)


def _values(variable: object, name: str) -> list[str]:
    if not isinstance(variable, dict):
        return [f"{{{name}}}"]
    values = [variable.get("default")]
    if isinstance(variable.get("enum"), list):
        values += variable["enum"]
    return list(dict.fromkeys(str(value) for value in values if value is not None)) or [""]


def _base(url: str) -> str:
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError as error:
        raise ValueError(f"the server {url[:80]!r} has no valid URL") from error
    return path if not path or path.startswith("/") else f"/{path}"
