"""vedette coverage: what can be found in a log, and what to log so that more can be."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ingest.masking import printable
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.commands.scan import standard_input
from vedette.coverage.coverage_screen import as_json as coverage_json
from vedette.coverage.coverage_screen import print_coverage
from vedette.coverage.filled import filled_by
from vedette.coverage.sight import sights
from vedette.detecting import families_of
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.one_run import secret_for_files
from vedette.rules import catalogue_of
from vedette.screen import note, terminal
from vedette.settings import Settings, SettingsError, load_settings
from vedette.sources import enrichment_of, sources_for


@reports_failures
def print_what_is_covered(
    names: Sequence[str],
    config: Path | None,
    *,
    log_format: str,
    limit: int,
    as_json: bool,
) -> int:
    """Print what detectors see of logs or sources; return the status.

    `names` are logs, or services of the settings' sources; without any, all logs of the settings.
    Status 1 if they have no event.
    """
    settings = load_settings(config)
    sources = sources_for(logs_of(settings, names), settings, log_format)
    enrichment = enrichment_of(settings, secret_for_files())
    reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
    filled = filled_by(reader.batches(), limit)
    for problem in reader.problems:
        note(terminal(stderr=True), f"vedette: {printable(str(problem))}")
    if not filled.events:
        note(terminal(stderr=True), "vedette: no line is an event: vedette explain says why")
        return FAILED
    found = sights(filled, catalogue_of(settings), families_of(settings))
    if as_json:
        sys.stdout.write(json.dumps(coverage_json(filled, found)) + "\n")
    else:
        print_coverage(terminal(), filled, found)
    return PARTLY_READ if reader.problems else 0


def logs_of(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return the logs that names stand for: of sources of that service, or logs themselves.

    Raises SettingsError where there are none.
    """
    files = [each for each in settings.sources if isinstance(each, FileSource)]
    found: dict[str, None] = {}
    for name in names:
        mine = [path for each in files if each.service == name for path in each.paths]
        found |= dict.fromkeys(mine or [name])
    if not names:
        found = dict.fromkeys(path for each in files for path in each.paths)
    if not found:
        raise SettingsError(
            "no log is named: give one, or sources with paths in the settings; of a topic pipe"
            " some records to `vedette coverage -`"
        )
    return list(found)
