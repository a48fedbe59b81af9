"""Service and environment, out of what shippers add to a line: the first name that is there.

Names have dots where objects are nested. What people set themselves goes before what Kubernetes
knows, and that before the name of a container. Both tables are those of docs/ship.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import polars as pl

from ingest.wrappers.objects import encodable, value_of
from ingest.wrappers.peeling import LABELS_SCHEMA

_POD_LABELS: Final = ("kubernetes.labels", "kubernetes.pod_labels", "k8s.pod.label")

SERVICE: Final = (
    "service.name",
    "service",
    "fields.service.name",
    "fields.service",
    *(
        f"{labels}.{name}"
        for name in ("app.kubernetes.io/name", "app_kubernetes_io/name", "app")
        for labels in _POD_LABELS
    ),
    "kubernetes.deployment.name",
    "k8s.deployment.name",
    "kubernetes.container_name",
    "kubernetes.container.name",
    "k8s.container.name",
    "label.com.docker.compose.service",
    "container_name",
    "container.name",
    "CONTAINER_NAME",
)

ENVIRONMENT: Final = (
    "service.environment",
    "deployment.environment.name",
    "deployment.environment",
    "environment",
    "env",
    "fields.service.environment",
    "fields.environment",
    "fields.env",
    *(f"{labels}.{name}" for name in ("environment", "env") for labels in _POD_LABELS),
    "kubernetes.namespace_name",
    "kubernetes.pod_namespace",
    "kubernetes.namespace",
    "k8s.namespace.name",
)

#: Names of those that loggers write flat, dots and all.
_FLAT: Final = (
    "service.name",
    "service.environment",
    "deployment.environment",
    "deployment.environment.name",
)

#: The fields of an object in which to look.
LABEL_FIELDS: Final = tuple(
    sorted({*_FLAT, *(name.split(".")[0] for name in (*SERVICE, *ENVIRONMENT))} - {"k8s"})
)

_LENGTH_LIMIT: Final = 200
_SEPARATOR: Final = "\x1f"


#: (service, environment)
Labels = tuple[str | None, str | None]


def labels_of(names: Mapping[str, str]) -> Labels:
    """Return (service, environment) for values by dotted name."""
    return _first(names, SERVICE), _first(names, ENVIRONMENT)


def labels_of_columns(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return LABELS_SCHEMA for text columns named in LABEL_FIELDS; None if nothing is said.

    Lines of one pod say the same: each distinct text is read once.
    """
    said = [column.name for column in frame if column.null_count() < frame.height]
    if not said:
        return None
    key = pl.concat_str([pl.col(name).fill_null("") for name in said], separator=_SEPARATOR)
    keyed = frame.select(*said, key.alias("_key"))
    distinct = keyed.unique("_key")
    found = [labels_of(dict(flat(row))) for row in distinct.select(said).iter_rows(named=True)]
    table = pl.DataFrame(found, schema=LABELS_SCHEMA, orient="row")
    labels = keyed.select("_key").join(
        table.with_columns(distinct["_key"]), on="_key", how="left", maintain_order="left"
    )
    return labels.select(LABELS_SCHEMA.names())


def flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (dotted name, text) of nested values; JSON text of an object is looked into."""
    pending = list(values.items())
    while pending:
        name, value = pending.pop()
        if isinstance(value, str) and value.startswith("{"):
            value = _object(value)
        if isinstance(value, dict):
            pending += [(f"{name}.{below}", inner) for below, inner in value.items()]
        elif isinstance(value, str):
            yield name, value


def _object(text: str) -> Any:  # noqa: ANN401
    try:
        return value_of(text)
    except ValueError:
        return None


def _first(names: Mapping[str, str], wanted: Iterable[str]) -> str | None:
    for name in wanted:
        text = encodable(names.get(name, "").strip().lstrip("/"))
        if text and len(text) <= _LENGTH_LIMIT:
            return text
    return None
