"""Files of sources: there, readable, of a format that is known."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from ingest.chunks import Chunk
from ingest.identity import head_of
from ingest.logs import InputProblem, Log, find_logs
from ingest.masking import printable
from ingest.partitions import Partition, Tally, first_lines
from ingest.sources import FileSource
from vedette.doctor.bounded import Broken, Done, together
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

#: Logs whose lines are looked at, the first of each source; and how much of each.
LOGS: Final = 20
HEAD_BYTES: Final = 256 << 10
SECONDS: Final = 4.0

#: More of a log's lines than this many in a hundred that cannot be read are too many.
UNREAD_PERCENT: Final = 5


def check_logs(at: Surroundings) -> Iterator[Remark]:
    """Look for the files of each source, and read how they begin."""
    if not at.logs:
        yield skipped("no source reads files")
        return
    jobs = [partial(_source, source) for source in at.logs]
    for source, outcome in zip(at.logs, together(jobs, SECONDS), strict=True):
        if isinstance(outcome, Done):
            yield from outcome.value
        else:
            why = f"breaks: {outcome.kind}" if isinstance(outcome, Broken) else "takes too long"
            yield fail(
                f"{_named(source)}: looking at it {why}", "see whether its disk or mount answers"
            )


def _source(source: FileSource) -> list[Remark]:
    logs, problems = find_logs(source.paths)
    found = [_problem(problem) for problem in problems]
    looks = [_log(source, log) for log in logs[:LOGS]]
    found += [remark for remark in looks if remark.status != "ok"]
    good = [remark for remark in looks if remark.status == "ok"]
    if len(good) == 1:
        found += good
    elif good:
        found.append(ok(f"{_named(source)}: {len(good)} logs can be read, such as {good[0].seen}"))
    if len(logs) > LOGS:
        found.append(skipped(f"{_named(source)}: {len(logs) - LOGS} more logs"))
    return found


def _problem(problem: InputProblem) -> Remark:
    seen = printable(f"{problem.path}: {problem.reason}")
    missing = "nothing matches" in problem.reason or "no logs" in problem.reason
    return warn(seen, problem.advice) if missing else fail(seen, problem.advice)


def _log(source: FileSource, log: Log) -> Remark:
    """Say how a log's newest file begins."""
    name = printable(log.name)
    if log.is_stdin:
        return fail("standard input cannot be followed", "name files, or use vedette scan -")
    try:
        data = head_of(log.files[-1], HEAD_BYTES)
    except OSError as error:
        return fail(f"{name}: {error.strerror}", "check the file and its disk or mount")
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        return ok(f"{name}: no whole line yet")
    partition = Partition(log.name, source, Tally())
    problem = partition.detect(first_lines(whole))
    if problem is not None:
        return fail(f"{name}: {problem.reason}", problem.advice)
    partition.feed(partition.parse(partition.records(Chunk(0, whole))))
    return _share(name, partition)


def _share(name: str, partition: Partition) -> Remark:
    tally = partition.tally
    read = max(tally.lines, 1)
    unread = tally.quarantine.total
    seen = f"{name}: {partition.detection.format if partition.detection else '?'}"
    if unread * 100 > UNREAD_PERCENT * read:
        return warn(
            f"{seen}: {unread:,} of its first {read:,} lines cannot be read",
            "vedette normalise shows which and why; vedette quarantine list what may help",
        )
    return ok(f"{seen}, {unread:,} of its first {read:,} lines set aside")


def _named(source: FileSource) -> str:
    more = "" if len(source.paths) == 1 else f" and {len(source.paths) - 1} more"
    return printable(source.paths[0]) + more
