"""vedette explain: why a line matches or does not, and what was counted for whom."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from detectors.detection import Detection
from detectors.single import Single
from ingest.logs import InputProblem
from ingest.masking import printable
from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader
from ingest.sources import FileSource, KafkaSource, Source
from vedette.commands.scan import standard_input
from vedette.detecting import detection_of
from vedette.explain.entities import (
    Entity,
    EntityError,
    Explained,
    entity_of,
    explain_in_log,
)
from vedette.explain.entity_screen import print_entity
from vedette.explain.line_screen import print_line
from vedette.explain.plain import entity_as_json, line_as_json
from vedette.explain.readings import read_line
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.incident_query import time_of
from vedette.notifying import muting_of
from vedette.one_run import secret_for_files
from vedette.rules import catalogue_of
from vedette.screen import note, terminal
from vedette.settings import Settings, SettingsError, load_settings
from vedette.sources import enrichment_of, names, sources_for

#: Bytes of standard input that are read for the one line.
_LINE_BYTES: Final = 1 << 20

#: Years in which a time may be asked for: the windows around it are times, too.
_YEARS: Final = (1970, 9000)


@reports_failures
def explain_line(
    line: str, config: Path | None, *, source: str | None, log_format: str, as_json: bool
) -> int:
    """Print what becomes of one line, and what each rule makes of it; return the status.

    `source` names a log of the settings' sources, whose settings are then used. Status 1 if the
    line is no event.
    """
    settings = load_settings(config)
    data = line.encode(errors="surrogateescape")
    if line == "-":
        data = standard_input().readline(_LINE_BYTES)
    enrichment = enrichment_of(settings, secret_for_files())
    read = read_line(data, source_of(settings, source, log_format), enrichment)
    judged = Single(catalogue_of(settings).rules).judge(read.event) if read.event.height else []
    if as_json:
        sys.stdout.write(json.dumps(line_as_json(read, judged)) + "\n")
    else:
        print_line(terminal(), read, judged)
    return 0 if read.event.height else FAILED


def source_of(settings: Settings, name: str | None, log_format: str) -> FileSource:
    """Return how lines are read: as a named source says, else as the only one, if there is one.

    A source is named by a log that it reads, or by its service. Raises SettingsError.
    """
    chosen = None if name is None else _named(settings, name)
    if name is not None and chosen is None:
        raise SettingsError(
            f"no source is called {name!r}: give a log, a topic or the service of a source"
        )
    if chosen is None:
        (source,) = sources_for(["-"], settings, log_format)
        return source
    told = chosen.model_dump(include=set(Source.model_fields))
    if log_format != "auto":
        told["format"] = log_format
    return FileSource.model_validate({**told, "paths": ("-",)})


def _named(settings: Settings, name: str) -> Source | None:
    for each in settings.sources:
        logs = each.paths if isinstance(each, FileSource) else ()
        topics = each.topics if isinstance(each, KafkaSource) else ()
        if name == each.service or name in topics or any(names(log, name) for log in logs):
            return each
    return None


@reports_failures
def explain_entity(
    text: str,
    logs: Sequence[str],
    config: Path | None,
    *,
    at: str | None,
    log_format: str,
    database: str | None,
    as_json: bool,
) -> int:
    """Print what was counted for an entity at a time, and why it is an incident or none.

    From logs or, without any, from the service's database. Status 1 if it is not told, 3 if part
    of the logs could not be read.
    """
    settings = load_settings(config)
    secret = secret_for_files()
    personal = frozenset(settings.privacy.pseudonymise)
    entity = entity_of(text, Pseudonyms(secret, personal), personal)
    try:
        time = time_of("--at", at, datetime.now(UTC))
    except ValueError as error:
        raise EntityError(str(error)) from error
    if time is not None and not _YEARS[0] <= time.year <= _YEARS[1]:
        raise EntityError(f"--at: must be in the years {_YEARS[0]} to {_YEARS[1]}")
    catalogue = catalogue_of(settings)
    detection = detection_of(settings, catalogue, prompt=False)
    problems: Sequence[InputProblem] = ()
    if logs:
        enrichment = enrichment_of(settings, secret)
        sources = sources_for(logs, settings, log_format)
        reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
        explained = explain_in_log(reader.batches(), detection, entity, time)
        problems = reader.problems
    else:
        explained = _stored(
            settings, detection, entity, time, name=database, configured=config is not None
        )
    for problem in problems:
        note(terminal(stderr=True), f"vedette: {printable(str(problem))}")
    if as_json:
        sys.stdout.write(json.dumps(entity_as_json(explained)) + "\n")
    else:
        print_entity(terminal(), explained)
    return PARTLY_READ if problems else 0


def _stored(
    settings: Settings,
    detection: Detection,
    entity: Entity,
    time: datetime | None,
    *,
    name: str | None,
    configured: bool,
) -> Explained:
    from vedette.explain.live import explain_stored
    from vedette.stores import kept_database

    engine, _ = kept_database(settings, name, configured=configured)
    try:
        return explain_stored(engine, detection, muting_of(settings), entity, time)
    finally:
        engine.dispose()
