"""vedette backtest: what other settings would have made of a log."""

import errno
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, SecretStr
from rich.progress import Progress as Bar

from ingest.masking import printable
from ingest.pseudonyms import Pseudonyms
from vedette.backtest.cache import Cache
from vedette.backtest.comparing import compare
from vedette.backtest.judging import Judge, Progress
from vedette.backtest.labels import Truth
from vedette.backtest.tables import tables
from vedette.commands.scan import progress_of_reading
from vedette.evaluation.episodes import disguised, read_episodes
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.folders import state_folder
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.screen import note, terminal
from vedette.settings import Settings, changed_settings, load_settings

#: What defaults are called where settings are named.
_DEFAULTS = "the defaults"

_MB = 1_000_000


@reports_failures
def run_backtest(
    files: Sequence[str],
    before: Path | None,
    after: Path | None,
    *,
    changes: Sequence[str] = (),
    truth: Path | None = None,
    database: str | None = None,
    log_format: str = "auto",
    cache: Path | None = None,
    report: Path | None = None,
    markdown: Path | None = None,
    as_json: bool = False,
) -> int:
    """Print what changes from some settings to others; return the status."""
    return_large_blocks()
    for file in (report, markdown):
        _check_writable(file)
    old = load_settings(before)
    new = changed_settings(old if after is None else load_settings(after), changes)
    names = _names(before, after if after is not None or not changes else before)
    if changes:
        told = dict.fromkeys(_told(change, new) for change in changes)
        names = names[0], f"{names[1]} with {', '.join(told)}"
    secret = secret_for_files()
    known = known_truth(truth, database, old, secret)
    with judging(files, old, cache, secret, log_format=log_format) as judge:
        first, second = judge.sides([old, new])
    compared = compare(first, second, known, names)
    tell(judge)
    if as_json:
        sys.stdout.write(json.dumps(compared.to_dict()) + "\n")
    else:
        console = terminal()
        for table in tables(compared):
            console.print(table)
    screen = terminal(stderr=True)
    if markdown is not None:
        from vedette.backtest.markdown import markdown_of

        markdown.write_text(markdown_of(compared), encoding="utf-8")
        note(screen, f"Markdown: {markdown}")
    if report is not None:
        from vedette.backtest.page import page_of
        from vedette.backtest.peaks import peaks_of

        report.write_text(
            page_of(compared, peaks_of(judge, first, second, known)), encoding="utf-8"
        )
        note(screen, f"Report: {report}")
    if not first.about.events:
        note(screen, "vedette: there is no event to judge")
        return PARTLY_READ if judge.problems else FAILED
    return PARTLY_READ if judge.problems else 0


@reports_failures
def clear_cache(config: Path | None, cache: Path | None) -> int:
    """Remove all that back-tests keep; return the status."""
    kept = cache_of(load_settings(config), cache)
    size = kept.clear()
    note(terminal(stderr=True), f"Removed {size / _MB:,.1f} MB from {kept.folder}.")
    return 0


def cache_of(settings: Settings, folder: Path | None) -> Cache:
    """Return the cache in the folder that is named, else that of the settings."""
    place = folder or settings.backtest.folder or state_folder() / "backtest"
    return Cache(place, settings.backtest.cache_mb * _MB)


def known_truth(
    truth: Path | None, database: str | None, settings: Settings, secret: bytes
) -> Truth:
    """Return what a truth file says, and what people decided about incidents in a database."""
    episodes = [] if truth is None else read_episodes(truth)
    columns = frozenset(settings.privacy.pseudonymise)
    named = disguised(episodes, Pseudonyms(secret), columns)
    if database is not None:
        from vedette.suggestions.decisions import decided_episodes

        named += decided_episodes(settings, database)
    return Truth(tuple(named), complete=truth is not None)


@contextmanager
def judging(
    files: Sequence[str],
    settings: Settings,
    cache: Path | None,
    secret: bytes,
    *,
    log_format: str = "auto",
) -> Iterator[Judge]:
    """Give a judge whose progress is shown on a terminal."""
    with progress_of_reading(terminal(stderr=True)) as bar:
        shown = _shown(bar)
        kept = cache_of(settings, cache)
        yield Judge(files, kept, secret, log_format=log_format, progress=shown)


def _shown(bar: Bar) -> Progress:
    tasks = []

    def begin(what: str, total: int | None) -> None:
        tasks.append(bar.add_task(what, total=total, rate=""))

    def advance(done: int) -> None:
        bar.update(tasks[-1], completed=done)

    return Progress(begin, advance)


def tell(judge: Judge) -> None:
    """Say what had to be done anew, what was forgotten, and what could not be read."""
    screen = terminal(stderr=True)
    for line in judge.notes:
        note(screen, line)
    if judge.evicted:
        note(
            screen,
            f"Counted with more entities than there is room for: {sum(judge.evicted.values()):,}"
            " were forgotten, and a scan may forget others.",
        )
    for problem in judge.problems:
        note(screen, f"vedette: {printable(str(problem))}")


def _names(before: Path | None, after: Path | None) -> tuple[str, str]:
    """Return what settings are called: their files, with folders where two have one name."""
    alike = before != after and before and after and before.name == after.name
    first, second = (
        _DEFAULTS if file is None else str(file) if alike else file.name for file in (before, after)
    )
    return first, second


def _told(change: str, settings: Settings) -> str:
    """Return a change as reports tell it: of a table that holds a secret only its name."""
    tables = tomllib.loads(change)
    if any(_secret(getattr(settings, table)) for table in tables):
        return f"other {' and '.join(tables)}"
    return change


def _secret(value: object) -> bool:
    if isinstance(value, BaseModel):
        return any(_secret(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return any(map(_secret, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_secret, value))
    return isinstance(value, SecretStr)


def _check_writable(file: Path | None) -> None:
    if file is not None and not file.absolute().parent.is_dir():
        folder = str(file.absolute().parent)
        raise NotADirectoryError(errno.ENOTDIR, "there is no such folder", folder)
