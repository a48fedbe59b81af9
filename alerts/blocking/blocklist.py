"""Addresses that others are asked to block, and every reason not to.

An address is listed for an incident of level high or above, about a client, of a detector that may
block, from when it is found until some time after its last event. Never listed are private,
special and allowed addresses and trusted proxies; an IPv6 client is its /64. No more are listed
than the settings say, nor added in a minute: what is beyond waits its turn. The list is empty
while it is switched off, by the settings or by a person, and while nearly all traffic seems to
come from one address: then that would be blocked, and everybody with it.

Rows say since when an address is listed and when it left, so that firewalls can ask for what is
new. Whoever asks for the list reads; only if it changes something is written, by one at a time,
and while that waits for other writers all get the list as it is, without what should leave it.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final

import structlog
from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    RowMapping,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import OperationalError

from alerts.blocking.settings import BlockSettings
from alerts.database.models import BlockRow, BlockSwitchRow, FindingRow, IncidentRow, table_of
from alerts.database.opening import for_writing
from alerts.incidents.views import json_ready
from detectors.findings import Level
from ingest.address_ranges import SPECIAL, AddressRanges, Network

#: The detector while whose incident is open nothing is blocked.
UNTRUSTED_PROXY: Final = "untrusted_proxy"

#: What people found an incident to be that ends the blocking.
_INNOCENT: Final = ("false_positive", "benign", "duplicate")

#: How long rows of what left the list are kept, for firewalls that ask late.
REMEMBERED: Final = timedelta(days=1)

#: How long the list is taken as it is, however often it is asked for.
FRESH: Final = timedelta(seconds=2)

#: IPv6 addresses that stand for IPv4 ones (RFC 6052, 3056, 4380): their /64 is many people.
TRANSLATED: Final = ("64:ff9b::/96", "2001::/32", "2002::/16")

_PREFIX_6: Final = 64
_MINUTE: Final = timedelta(minutes=1)

_BLOCKS: Final = table_of(BlockRow)
_SWITCH: Final = table_of(BlockSwitchRow)
_INCIDENTS: Final = table_of(IncidentRow)
_FINDINGS: Final = table_of(FindingRow)

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """An address (`203.0.113.7`, `2001:db8::/64`), for which incident and detector, until when.

    `removed_at` is when it left the list, None while it is on it.
    """

    id: int
    address: str
    incident: int
    detector: str
    since: datetime
    until: datetime
    removed_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: json_ready(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Listing:
    """The list as it stands; `why_empty` says what keeps it so, `waiting` how many are to come."""

    blocks: tuple[Block, ...]
    why_empty: str | None
    waiting: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is on the list, and what is to change, as one moment has it."""

    why_empty: str | None
    listed: dict[str, RowMapping]
    wanted: dict[str, dict[str, Any]]
    added: tuple[str, ...]
    waiting: int
    forgets: bool

    @property
    def changes(self) -> bool:
        """Whether something is to be written."""
        return (
            self.forgets
            or bool(self.added)
            or any(
                address not in self.wanted or self.wanted[address]["until"] != row["until"]
                for address, row in self.listed.items()
            )
        )

    def listing(self) -> Listing:
        """Return the list as it may be told before anything is written."""
        blocks = (_block(row) for address, row in self.listed.items() if address in self.wanted)
        return Listing(tuple(blocks), self.why_empty, self.waiting + len(self.added))


class BlockList:
    """The block list of one database. `protected` is never listed, beside what is special."""

    def __init__(
        self, engine: Engine, settings: BlockSettings, protected: Iterable[Network] = ()
    ) -> None:
        self.settings = settings
        self._engine = engine
        self._lock = Lock()
        self._known: Listing | None = None
        self._at = datetime.min.replace(tzinfo=UTC)
        kept_off = map(ipaddress.ip_network, (*SPECIAL, *TRANSLATED))
        never = [*kept_off, *settings.allow, *protected]
        self._never = AddressRanges(never)
        self._never_6 = [each for each in never if isinstance(each, ipaddress.IPv6Network)]

    def listing(self, now: datetime) -> Listing:
        """Return the list, brought up to date unless it just was.

        Nobody waits for one who brings it up to date; that one waits for other writers for as long
        as a database is waited for.
        """
        if not self._lock.acquire(blocking=False):
            return self._planned(now).listing()
        try:
            if self._known is None or not timedelta(0) <= now - self._at < FRESH:
                self._known, self._at = self._refreshed(now), now
            return self._known
        finally:
            self._lock.release()

    def _refreshed(self, now: datetime) -> Listing:
        plan = self._planned(now)
        if not plan.changes:
            return plan.listing()
        try:
            with for_writing(self._engine).begin() as connection:
                return self._written(connection, self._plan(connection, now), now)
        except OperationalError as error:
            _log.warning("the block list is not brought up to date", error=type(error).__name__)
            return plan.listing()

    def _planned(self, now: datetime) -> _Plan:
        with self._engine.connect() as connection:
            return self._plan(connection, now)

    def _plan(self, connection: Connection, now: datetime) -> _Plan:
        why = self._why_empty(connection)
        wanted = {} if why else self._wanted(connection, now)
        listed = {row["address"]: row for row in _active(connection)}
        new = [address for address in wanted if address not in listed]
        room = 0
        if new:
            free = self.settings.entries - len(wanted) + len(new)
            room = max(min(self._room(connection, now), free), 0)
        old = select(exists().where(_BLOCKS.c.removed_at < now - REMEMBERED))
        forgets = bool(connection.execute(old).scalar_one())
        return _Plan(why, listed, wanted, tuple(new[:room]), len(new[room:]), forgets)

    def _written(self, connection: Connection, plan: _Plan, now: datetime) -> Listing:
        _remove(connection, [a for a in plan.listed if a not in plan.wanted], now)
        _prolong(connection, plan.listed, plan.wanted)
        _add(connection, [plan.wanted[address] for address in plan.added], now)
        connection.execute(_BLOCKS.delete().where(_BLOCKS.c.removed_at < now - REMEMBERED))
        blocks = tuple(_block(row) for row in _active(connection))
        return Listing(blocks, plan.why_empty, plan.waiting)

    def changes(self, since: datetime) -> tuple[list[Block], list[Block]]:
        """Return what came onto the list after a time, and what left it since."""
        with self._engine.connect() as connection:
            came = select(_BLOCKS).where(_BLOCKS.c.since > since, _BLOCKS.c.removed_at.is_(None))
            left = select(_BLOCKS).where(_BLOCKS.c.removed_at > since)
            return (
                [_block(row) for row in connection.execute(came).mappings()],
                [_block(row) for row in connection.execute(left).mappings()],
            )

    def switch(self, *, off: bool, by: str, now: datetime) -> None:
        """Empty the list at once until it is switched on again: the kill switch."""
        with for_writing(self._engine).begin() as connection:
            connection.execute(_SWITCH.delete())
            if off:
                connection.execute(insert(BlockSwitchRow).values(id=1, off_by=by, off_at=now))
                _remove(connection, [row["address"] for row in _active(connection)], now)
        with self._lock:
            self._known = None

    def _why_empty(self, connection: Connection) -> str | None:
        if not self.settings.enabled:
            return "switched off: blocklist.enabled in the settings"
        switched = connection.execute(select(_SWITCH)).mappings().first()
        if switched is not None:
            return f"switched off by {switched['off_by']} at {switched['off_at']:%Y-%m-%d %H:%M}"
        proxy = (
            select(_INCIDENTS.c.id)
            .join_from(_INCIDENTS, _FINDINGS, _FINDINGS.c.incident_id == _INCIDENTS.c.id)
            .where(
                _FINDINGS.c.detector == UNTRUSTED_PROXY,
                _INCIDENTS.c.status.in_(("open", "acknowledged")),
            )
            .limit(1)
        )
        found = connection.execute(proxy).scalar()
        if found is not None:
            return f"incident {found} says that addresses in the log are those of a proxy"
        return None

    def _wanted(self, connection: Connection, now: datetime) -> dict[str, dict[str, Any]]:
        """Return what should be listed, by address, the longest blocking first."""
        query = (
            select(
                _INCIDENTS.c.id,
                _INCIDENTS.c.entity,
                _INCIDENTS.c.last_at,
                func.min(_FINDINGS.c.detector).label("detector"),
            )
            .join_from(_INCIDENTS, _FINDINGS, _FINDINGS.c.incident_id == _INCIDENTS.c.id)
            .where(
                _INCIDENTS.c.last_at > now - self.settings.length,
                _INCIDENTS.c.severity >= int(Level.HIGH),
                _INCIDENTS.c.entity_type == "client",
                _INCIDENTS.c.mode == "alert",
                _INCIDENTS.c.merged_into.is_(None),
                func.coalesce(_INCIDENTS.c.resolution, "").not_in(_INNOCENT),
                _FINDINGS.c.detector.in_(self.settings.detectors),
                _FINDINGS.c.mode == "alert",
            )
            .group_by(_INCIDENTS.c.id, _INCIDENTS.c.entity, _INCIDENTS.c.last_at)
            .order_by(_INCIDENTS.c.id)
        )
        wanted: dict[str, dict[str, Any]] = {}
        for row in connection.execute(query).mappings():
            address = self._blockable(row["entity"])
            if address is None:
                continue
            until = row["last_at"] + self.settings.length
            known = wanted.get(address)
            if known is None or known["until"] < until:
                wanted[address] = {
                    "address": address,
                    "incident_id": row["id"],
                    "detector": row["detector"],
                    "until": until,
                }
        return wanted

    def _blockable(self, entity: str) -> str | None:
        """Return what to block for a client, None if it must not be."""
        try:
            address = ipaddress.ip_address(entity)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if self._never.contains(address):
            return None
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        network = ipaddress.IPv6Network((address, _PREFIX_6), strict=False)
        return None if any(network.overlaps(each) for each in self._never_6) else str(network)

    def _room(self, connection: Connection, now: datetime) -> int:
        """Return how many may be added now."""
        recent = select(func.count()).select_from(_BLOCKS).where(_BLOCKS.c.since > now - _MINUTE)
        return self.settings.new_a_minute - int(connection.execute(recent).scalar_one())


def expire_blocks(engine: Engine, now: datetime) -> int:
    """Delete the rows of what left the list REMEMBERED ago; return how many."""
    with for_writing(engine).begin() as connection:
        return connection.execute(_expired(now)).rowcount


def _expired(now: datetime) -> Delete:
    return _BLOCKS.delete().where(_BLOCKS.c.removed_at < now - REMEMBERED)


def _active(connection: Connection) -> Sequence[RowMapping]:
    query = select(_BLOCKS).where(_BLOCKS.c.removed_at.is_(None)).order_by(_BLOCKS.c.id)
    return connection.execute(query).mappings().all()


def _remove(connection: Connection, addresses: Sequence[str], now: datetime) -> None:
    for address in addresses:
        connection.execute(
            update(BlockRow)
            .where(BlockRow.address == address, BlockRow.removed_at.is_(None))
            .values(removed_at=now)
        )


def _prolong(
    connection: Connection,
    listed: dict[str, RowMapping],
    wanted: dict[str, dict[str, Any]],
) -> None:
    for address, row in listed.items():
        entry = wanted.get(address)
        if entry is not None and entry["until"] != row["until"]:
            connection.execute(
                update(BlockRow).where(BlockRow.id == row["id"]).values(until=entry["until"])
            )


def _add(connection: Connection, entries: Sequence[dict[str, Any]], now: datetime) -> None:
    if entries:
        connection.execute(insert(BlockRow), [{**entry, "since": now} for entry in entries])


def _block(row: RowMapping) -> Block:
    return Block(
        row["id"],
        row["address"],
        row["incident_id"],
        row["detector"],
        row["since"],
        row["until"],
        row["removed_at"],
    )
