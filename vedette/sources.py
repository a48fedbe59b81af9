"""What settings say about reading: sources for files of the command line, and enrichment."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ingest.address_ranges import Network
from ingest.clients import trusted_networks
from ingest.enrichment import Enrichment
from ingest.geo import GeoData
from ingest.pseudonyms import Pseudonyms
from ingest.route_documents import RouteDocument, load_document
from ingest.route_learning import RouteLearner
from ingest.sources import FileSource, files_among
from vedette.settings import Settings, SettingsError


def sources_for(files: Sequence[str], settings: Settings, log_format: str) -> list[FileSource]:
    """Return the sources of files named on the command line.

    A file that a source of the settings names is read as that source says; else as the only
    source says, if there is just one; else by default. `log_format` goes before. Raises
    SettingsError.
    """
    known = files_among(settings.sources)
    alike: dict[int | None, list[str]] = {}
    for file in files:
        naming = (n for n, s in enumerate(known) if any(names(path, file) for path in s.paths))
        alike.setdefault(next(naming, 0 if len(known) == 1 else None), []).append(file)
    try:
        return [
            _source(None if number is None else known[number], paths, log_format)
            for number, paths in alike.items()
        ]
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False)
        reasons = "; ".join(mistake["msg"].removeprefix("Value error, ") for mistake in mistakes)
        named = "" if log_format == "auto" else f"--format {log_format}: "
        raise SettingsError(f"{named}{reasons}") from error


def enrichment_of(settings: Settings, secret: bytes | None, *, learn: bool = False) -> Enrichment:
    """Return geo data, route templates and pseudonyms as set.

    Without `secret`, the installation's own, API keys are left out and nothing is pseudonymised.
    `learn` lets route templates be learned, if the settings allow it. Raises
    ingest.geo.GeoError, ingest.route_documents.RouteDocumentError.
    """
    columns = frozenset(settings.privacy.pseudonymise)
    return Enrichment(
        geo=GeoData(settings.geo),
        documents=documents_of(settings),
        pseudonyms=None if secret is None else Pseudonyms(secret, columns),
        learner=RouteLearner() if learn and settings.routes.learn else None,
    )


def documents_of(settings: Settings) -> list[RouteDocument]:
    """Return the OpenAPI documents of the settings; raises RouteDocumentError."""
    return [load_document(file) for file in settings.routes.openapi]


def _source(source: FileSource | None, paths: Sequence[str], log_format: str) -> FileSource:
    given = {} if source is None else source.model_dump()
    given["paths"] = tuple(paths)
    if log_format != "auto":
        given["format"] = log_format
    return FileSource.model_validate(given)


def names(path: str, file: str) -> bool:
    """Whether a source's path, glob or folder names the file."""
    if path == file:
        return True
    pattern, whole = Path(path).expanduser(), Path(file).absolute()
    return fnmatch.fnmatch(str(whole), str(pattern.absolute())) or pattern.absolute() in (
        whole,
        whole.parent,
    )


def proxies_of(settings: Settings) -> tuple[Network, ...]:
    """Return every network that some source trusts as a proxy."""
    entries = {entry for source in settings.sources for entry in source.trusted_proxies}
    return tuple(network for entry in sorted(entries) for network in trusted_networks(entry))
