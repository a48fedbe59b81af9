"""The clients that a finding about something else than a client has counted, as rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete

from alerts.database.models import FindingRow, MemberRow, table_of
from alerts.database.statements import chunks, insert_or_ignore


@dataclass(frozen=True, slots=True)
class MemberChange:
    """The clients that a finding had, and those that it has now."""

    finding_id: int
    before: frozenset[str]
    now: frozenset[str]


def write_members(connection: Connection, changes: Iterable[MemberChange]) -> None:
    """Add the clients that are new, delete those beyond the limit."""
    table = table_of(MemberRow)
    added: list[dict[str, int | str]] = []
    for change in changes:
        added += [
            {"finding_id": change.finding_id, "client": client}
            for client in sorted(change.now - change.before)
        ]
        for chunk in chunks(sorted(change.before - change.now)):
            connection.execute(
                delete(table).where(
                    table.c.finding_id == change.finding_id, table.c.client.in_(chunk)
                )
            )
    insert_or_ignore(connection, table, added, ("finding_id", "client"))


def delete_findings(connection: Connection, findings: Sequence[int]) -> None:
    """Delete findings that became part of others, with their members."""
    members, table = table_of(MemberRow), table_of(FindingRow)
    for chunk in chunks(findings):
        connection.execute(delete(members).where(members.c.finding_id.in_(chunk)))
        connection.execute(delete(table).where(table.c.id.in_(chunk)))
