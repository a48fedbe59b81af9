"""Tests of rules: events or log lines beside a rule, and what the rule shall make of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sigma.rule import SigmaRule

from detectors.catalogue import Catalogue
from detectors.conditions import compile_condition
from detectors.decoded import with_decoded
from detectors.documents import LIMITS, Document, RuleError, text_of
from detectors.fields import SIGMA_FIELDS
from detectors.findings import merge_runs
from detectors.kernel import RuleKernel
from detectors.sigma import compile_rules
from ingest.events import BATCH_SCHEMA, EVENT_SCHEMA, Batch
from ingest.networks import client_columns
from ingest.reader import LogReader
from ingest.routes import route_templates, routes
from ingest.sources import FileSource
from ingest.yaml_limits import YamlLimitError, check_yaml

#: When the first event of a test happens, unless it says so itself.
START: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)

#: Keys of an event that are no fields: when it happens, and how often.
_SCHEDULE: Final = ("at", "every", "repeat")


class Case(BaseModel):
    """One test: events or a log, and what the rule shall make of them.

    `match`: each event matches, or none does; of a correlation: it fires, or it does not.
    `count` is exact instead: how many events match, or for how many entities it fires.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    rule: str | None = None
    match: bool = True
    count: int | None = Field(default=None, ge=0)
    events: tuple[dict[str, Any], ...] = ()
    log: str | None = None

    @model_validator(mode="after")
    def _has_something_to_look_at(self) -> "Case":
        if bool(self.events) == (self.log is not None):
            raise ValueError("a test has either events or a log")
        return self


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test came out; `line` is where it begins in its file."""

    file: Path
    line: int
    rule: str
    case: str
    expected: str
    found: str
    passed: bool


def cases_beside(rules: Path) -> Path | None:
    """Return the file of tests beside a file of rules, if there is one."""
    beside = (rules.with_name(f"{rules.stem}.tests{suffix}") for suffix in (".yml", ".yaml"))
    return next((file for file in beside if file.is_file()), None)


def run_tests(file: Path, own: Sequence[Document], known: Sequence[Document]) -> Iterator[Outcome]:
    """Run the tests of a file on its `own` rules; `known` are all that these may refer to.

    Raises RuleError for a test that cannot be run, OSError.
    """
    for line, case in _cases(file):
        document = _subject(file, line, case, own)
        batches = list(_batches(file, line, case))
        if isinstance(document.parsed, SigmaRule):
            matched, total = _matching(document, batches)
            found = f"{matched} of {total} events match"
            passed = matched == (total if case.match else 0)
            expected = "all match" if case.match else "none matches"
        else:
            matched = _firing(document, known, batches)
            found = f"fires for {matched}"
            passed = (matched > 0) == case.match
            expected = "fires" if case.match else "silent"
        if case.count is not None:
            passed, expected = matched == case.count, f"exactly {case.count}"
        yield Outcome(file, line, document.name, case.name, expected, found, passed)


def _cases(file: Path) -> Iterator[tuple[int, Case]]:
    text = text_of(file)
    loader = yaml.SafeLoader(text)
    try:
        check_yaml(text, LIMITS)
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            raise RuleError(file, 1, "a file of tests is a list; each test has name, match, events")
        for node in root.value:
            line = node.start_mark.line + 1
            yield line, _case(file, line, loader.construct_object(node, deep=True))
    except YamlLimitError as error:
        raise RuleError(file, error.line, error.reason) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(file, line, error.problem or "not valid YAML") from error
    finally:
        loader.dispose()


def _case(file: Path, line: int, data: object) -> Case:
    try:
        return Case.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            why = f"unknown key; known are {', '.join(Case.model_fields)}"
        elif first["type"] == "missing":
            why = "is needed"
        raise RuleError(file, line, f"{place}: {why}".removeprefix(": ")) from error


def _subject(file: Path, line: int, case: Case, own: Sequence[Document]) -> Document:
    """Return the rule that a test is about: the one it names, else the file's last."""
    if case.rule is None and own:
        return own[-1]
    for document in own:
        if case.rule in {document.name, *document.names}:
            return document
    names = ", ".join(document.name for document in own) or "none that is accepted"
    raise RuleError(file, line, f"no rule {case.rule!r} in the file beside; there is {names}")


def _matching(document: Document, batches: Sequence[Batch]) -> tuple[int, int]:
    selection = reduce(pl.Expr.or_, map(compile_condition, document.conditions))
    counted = [with_decoded(batch.events).filter(selection).height for batch in batches]
    return sum(counted), sum(batch.events.height for batch in batches)


def _firing(document: Document, known: Sequence[Document], batches: Sequence[Batch]) -> int:
    """Return for how many entities a rule fires."""
    kernel = RuleKernel(Catalogue(tuple(compile_rules(known, {})), "test"))
    found = [run for batch in batches for run in kernel.process(batch.events, batch.watermark)]
    findings = merge_runs([], [*found, *kernel.finish()])
    return len({finding.key for finding in findings if finding.detector == document.name})


def _batches(file: Path, line: int, case: Case) -> Iterator[Batch]:
    if case.log is None:
        yield Batch(_events(file, line, case), None)
        return
    log = file.with_name(case.log)
    reader = LogReader([FileSource(paths=(str(log),))])
    yield from reader.batches()
    unread = reader.tally.quarantine.total
    if reader.problems or unread:
        reason = str(reader.problems[0]) if reader.problems else f"{unread} lines are not read"
        raise RuleError(file, line, f"{case.log}: {reason.removeprefix(f'{log}: ')}")


def _events(file: Path, line: int, case: Case) -> pl.DataFrame:
    """Return a test's events as the detectors get them, in order of time."""
    rows: list[dict[str, Any]] = []
    time = START
    for number, written in enumerate(case.events):
        try:
            times = list(_times(written, time))
            row = _columns(written)
            if times:
                time = times[-1] + timedelta(seconds=1)
            rows += [{"timestamp": moment, **row} for moment in times]
        except (TypeError, ValueError) as error:
            raise RuleError(file, line, f"events.{number}: {error}") from error
    try:
        frame = pl.DataFrame(rows, schema_overrides=dict(EVENT_SCHEMA), orient="row")
    except (TypeError, pl.exceptions.PolarsError) as error:
        reason = "an event has a value of the wrong kind, such as text for a number"
        raise RuleError(file, line, f"events: {reason}") from error
    return _completed(frame)


def _times(written: Mapping[str, Any], following: datetime) -> Iterator[datetime]:
    """Yield when an event happens: `at` seconds after the start, or after the one before it."""
    first = START + timedelta(seconds=float(written["at"])) if "at" in written else following
    given = written.get("timestamp", first)
    first = datetime.fromisoformat(given) if isinstance(given, str) else given
    if not isinstance(first, datetime):
        raise TypeError("timestamp must be a date and a time")
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    every = timedelta(seconds=float(written.get("every", 1)))
    for number in range(int(written.get("repeat", 1))):
        yield first + number * every


def _columns(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's values by column, for Sigma's names or ours."""
    row: dict[str, Any] = {}
    for name, value in written.items():
        if name in {"cs-uri", "c-uri"}:
            row["path"], mark, query = str(value).partition("?")
            row["query"] = query if mark else None
        elif name == "time-taken":
            row["duration_us"] = int(value) * 1000
        elif name not in {*_SCHEDULE, "timestamp"}:
            row[SIGMA_FIELDS.get(name, name)] = value
    unknown = [name for name in row if name not in EVENT_SCHEMA]
    if unknown:
        raise ValueError(f"no field or column of this name: {', '.join(map(repr, unknown))}")
    return row


def _completed(given: pl.DataFrame) -> pl.DataFrame:
    """Return events with all columns of BATCH_SCHEMA, and what follows from the given ones."""
    missing = [pl.lit(None, t).alias(n) for n, t in EVENT_SCHEMA.items() if n not in given.columns]
    events = given.with_columns(*missing).sort("timestamp", maintain_order=True)
    _, networks = client_columns(events["client_ip"])
    template = route_templates(events["path"]).alias("template")
    derived = routes(pl.col("service"), pl.col("method"), pl.col("template"))
    return (
        events.with_columns(template)
        .with_columns(
            pl.coalesce("client_network", networks).alias("client_network"),
            pl.coalesce("route", derived).alias("route"),
            pl.lit("test").alias("partition"),
            pl.int_range(pl.len(), dtype=pl.Int64()).alias("position"),
            pl.col("timestamp").alias("effective_time"),
            pl.lit(value=True).alias("windowed"),
            pl.lit(value=True).alias("edge"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in BATCH_SCHEMA.items())
    )
