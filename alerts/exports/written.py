"""Exports as text: the one place that knows which format is written how."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, get_args

from alerts.exports.complete import complete, json_line
from alerts.exports.csv_cells import header, row
from alerts.exports.ocsf import detection_finding
from alerts.lists.details import IncidentDetail

ExportFormat = Literal["json", "ocsf", "csv"]

FORMATS: Final[tuple[ExportFormat, ...]] = get_args(ExportFormat)

#: What each is called over HTTP.
MEDIA_TYPES: Final[dict[ExportFormat, str]] = {
    "json": "application/x-ndjson",
    "ocsf": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
}


def exported(
    details: Iterable[IncidentDetail],
    export_format: ExportFormat,
    product_version: str | None = None,
) -> Iterator[str]:
    """Yield incidents as text, one after the other: lines of JSON, or of CSV after a header.

    No character in it is one that a terminal or browser obeys. `product_version` is Vedette's,
    for OCSF.
    """
    if export_format == "csv":
        yield header()
    for detail in details:
        if export_format == "csv":
            yield row(detail.incident, detail.geo)
        elif export_format == "ocsf":
            yield json_line(detection_finding(detail, product_version)) + "\n"
        else:
            yield json_line(complete(detail)) + "\n"
