"""What is in the database: who writes to it, what was not seen, what could not be read or told."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import Engine

from alerts.quarantine.gaps import list_gaps
from alerts.quarantine.groups import QuarantineStore
from alerts.recovery.lease import Lease
from alerts.sending.backlog import Backlog, backlogs
from ingest.masking import printable
from vedette.doctor.database import stored
from vedette.doctor.remark import Remark, fail, ok, warn
from vedette.doctor.surroundings import Surroundings

#: How far back gaps and quarantine are looked at.
RECENT: Final = timedelta(days=1)

#: What waits longer than this after it was due is not being sent.
OVERDUE: Final = timedelta(minutes=15)

_SHOWN: Final = 3


def check_lease(at: Surroundings) -> Iterable[Remark]:
    """Say which process does the work."""
    return stored(at, _lease)


def check_gaps(at: Surroundings) -> Iterable[Remark]:
    """Say when nothing was seen of sources, of late."""
    return stored(at, partial(_gaps, at))


def check_quarantine(at: Surroundings) -> Iterable[Remark]:
    """Say what could not be read, of late."""
    return stored(at, partial(_quarantine, at))


def check_messages(at: Surroundings) -> Iterable[Remark]:
    """Say what waits to be sent, and what was given up."""
    return stored(at, partial(_messages, at))


def _lease(engine: Engine) -> Iterator[Remark]:
    lease = Lease(engine)
    holder = lease.holder()
    if holder is None:
        yield ok("no process has worked on this database yet")
    elif lease.is_held():
        yield ok(f"{printable(holder)} does the work")
    else:
        yield ok(f"nobody does the work now; {printable(holder)} was the last")


def _gaps(at: Surroundings, engine: Engine) -> Iterator[Remark]:
    found = [gap for gap in list_gaps(engine) if gap.recorded_at > at.now - RECENT]
    for gap in found[:_SHOWN]:
        yield warn(
            f"{printable(gap.partition)}: {gap.blind}: {gap.reason}",
            "what was logged then was not judged; scan what there is of it elsewhere",
        )
    if len(found) > _SHOWN:
        yield warn(f"{len(found) - _SHOWN} more gaps since a day", "see the API, or the table gaps")
    if not found:
        yield ok("none within a day")


def _quarantine(at: Surroundings, engine: Engine) -> Iterator[Remark]:
    groups = QuarantineStore(engine).list_groups(limit=1_000)
    recent = [group for group in groups if group.last_seen_at > at.now - RECENT]
    if not recent:
        yield ok("nothing was set aside within a day")
        return
    worst = recent[0]
    yield warn(
        f"{sum(group.count for group in recent):,} lines in {len(recent)} groups that grew within"
        f" a day; most: {worst.count:,} {worst.reason} in {printable(worst.partition)}",
        f"vedette quarantine show {worst.id}",
    )


def _messages(at: Surroundings, engine: Engine) -> Iterator[Remark]:
    found = backlogs(engine)
    for name, backlog in found.items():
        yield from _target(at, name, backlog)
    if not any(backlog.waiting or backlog.under_way or backlog.dead for backlog in found.values()):
        yield ok("nothing waits, nothing was given up")


def _target(at: Surroundings, name: str, backlog: Backlog) -> Iterator[Remark]:
    known = at.settings.targets.keys() | ({"default"} if at.settings.notify.url else set())
    if backlog.dead:
        yield warn(
            f"{name}: {backlog.dead:,} messages were given up",
            f"vedette notify history --target {name} --state dead says why;"
            f" vedette notify retry --target {name} sends them after all",
        )
    overdue = backlog.overdue(at.now)
    if not (backlog.waiting or backlog.under_way):
        return
    seen = f"{name}: {backlog.waiting:,} notifications wait, {backlog.under_way:,} are tried"
    if name not in known:
        yield warn(f"{seen}, and there is no such target", f"add [targets.{name}] again")
    elif overdue > OVERDUE:
        yield fail(f"{seen}, the oldest for {overdue}", "is the service running? see its log")
    else:
        yield ok(seen)
