"""Any order of findings and of what people do leaves the same, legal incidents.

Seen to fail with: the elder's decision, labels or assignee instead of the latest or of all when
incidents join; an ending that holds whatever comes; one that any growth undoes; calm that resolves
what a person opened again; a join that forgets that; a version that grows with every write; a
decision that is undone again and again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, select

from alerts.actions import KEEP, Change, IllegalChangeError, change_incident
from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, Model, table_of
from alerts.database.opening import open_database
from alerts.incidents.content import components, content_of
from alerts.incidents.decisions import Keep
from alerts.incidents.lifecycle import Resolution, Status
from alerts.routing.routes import Routing
from alerts.storage.rows import stored_content, stored_evidence, stored_finding, stored_state
from alerts.storage.store import Store
from detectors.findings import EntityType, Evidence, Finding, Level, Mode, earliest, merge_runs
from tests.databases.fixtures import erase, shown
from tests.databases.postgresql import Server

START: Final = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
TODAY: Final = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
OPS: Final = Routing.everything_to("ops")

#: Minutes after which everything is calm.
END: Final = 400

MOVES: Final[dict[Status, set[Status]]] = {
    "open": {"acknowledged", "resolved", "closed"},
    "acknowledged": {"open", "resolved", "closed"},
    "resolved": {"open", "acknowledged", "closed"},
    "closed": {"open", "acknowledged"},
}
OVER: Final = {"resolved", "closed"}
RESOLUTIONS: Final[tuple[Resolution, ...]] = ("true_positive", "false_positive", "benign")

SLOW: Final = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@dataclass(frozen=True)
class Kind:
    window: int
    level: Level
    tags: tuple[str, ...]
    mode: Mode = "alert"
    entity_type: EntityType = "client"


KINDS: Final = {
    "recon": Kind(2, Level.LOW, ("attack.reconnaissance",)),
    "guessing": Kind(1, Level.MEDIUM, ("attack.t1110",)),
    "success": Kind(1, Level.MEDIUM, ("attack.t1078",)),
    "trial": Kind(1, Level.HIGH, (), mode="monitor"),
    "many": Kind(5, Level.MEDIUM, ("attack.t1110",), entity_type="route"),
    "slow": Kind(45, Level.LOW, ()),
}


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


@st.composite
def found(draw: st.DrawFn, first: int, last: int, kinds: tuple[str, ...]) -> Finding:
    detector = draw(st.sampled_from(kinds))
    kind = KINDS[detector]
    begin = draw(st.integers(first, last))
    end = min(last, begin + draw(st.integers(0, 10)))
    client = kind.entity_type == "client"
    members = st.frozensets(st.sampled_from("abcdefghijklmn"), min_size=1)
    return Finding(
        detector=detector,
        entity_type=kind.entity_type,
        entity=draw(st.sampled_from("aab")) if client else "POST /login",
        first=at(begin),
        last=at(end),
        value=draw(st.integers(11, 30)),
        threshold=10,
        unit="requests",
        window=kind.window * MINUTE,
        level=Level(kind.level + draw(st.integers(0, 1))),
        mode=kind.mode,
        tags=kind.tags,
        members=frozenset() if client else draw(members),
        evidence=tuple(
            Evidence(at(time), "log", time, "GET /", service=f"s{time % 3}")
            for time in draw(st.lists(st.integers(begin, end), max_size=3))
        ),
    )


@st.composite
def changes(draw: st.DrawFn) -> Change:
    status: Status | None = draw(st.sampled_from([None, *MOVES, "closed", "open"]))
    nobody: Keep | None = draw(st.sampled_from([KEEP, KEEP, None]))
    return Change(
        status=status,
        resolution=draw(st.sampled_from(RESOLUTIONS)) if status in OVER else None,
        add_labels=tuple(draw(st.sampled_from([(), ("x",), ("x", "y")]))),
        remove_labels=tuple(draw(st.sampled_from([(), ("z",)]))),
        comment=draw(st.sampled_from([None, "seen"])),
        assignee=draw(st.sampled_from(["ann", "bob", nobody, nobody])),
    )


@st.composite
def portions(draw: st.DrawFn, findings: list[Finding]) -> list[list[Finding]]:
    """The same findings in any order, cut anyhow."""
    rest = draw(st.permutations(findings))
    cut: list[list[Finding]] = []
    while rest:
        size = draw(st.integers(1, len(rest)))
        cut.append(rest[:size])
        rest = rest[size:]
    return cut


@st.composite
def again(draw: st.DrawFn, findings: list[Finding]) -> list[list[Finding]]:
    """What a worker sends again after a crash: all findings, or how they stood before."""
    earlier = [
        replace(
            finding,
            last=finding.first
            + (finding.last - finding.first) * draw(st.sampled_from([0, 0.5, 1])),
            value=draw(st.integers(11, finding.value)),
        )
        for finding in findings
    ]
    return draw(portions([*findings, *earlier]))


def rows(engine: Engine, model: type[Model]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table_of(model)).order_by("id")).mappings())


def living(engine: Engine) -> list[Any]:
    return [row for row in rows(engine, IncidentRow) if row["merged_into"] is None]


def everything(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {
            table.name: list(connection.execute(select(table).order_by(*table.primary_key)).all())
            for table in Model.metadata.sorted_tables
        }


@dataclass
class Decision:
    """What a person decided, and what they saw."""

    at: datetime
    status: str
    resolution: str | None
    seen: Level | None
    last_at: datetime
    opened_again: bool
    acknowledged_at: datetime | None


@dataclass
class Page:
    """What people said about one incident."""

    decision: Decision | None = None
    labels: frozenset[str] = frozenset()
    assigned: tuple[datetime, str | None] | None = None
    comments: int = 0

    def decide(self, row: Any, change: Change, now: datetime) -> None:
        before = self.decision
        over = change.status in OVER
        when = max(now, before.at) if before else now
        acknowledged = when if change.status == "acknowledged" else None
        self.decision = Decision(
            at=when,
            status=str(change.status),
            resolution=change.resolution,
            seen=Level(row["severity"]) if row["mode"] == "alert" else None,
            last_at=row["last_at"],
            opened_again=not over and (row["auto_resolved"] or row["status"] in OVER),
            acknowledged_at=(before.acknowledged_at if before else None) if over else acknowledged,
        )

    def take_over(self, other: "Page") -> None:
        decided = [d for d in (self.decision, other.decision) if d]
        self.decision = max(decided, key=lambda decision: decision.at, default=None)
        self.labels |= other.labels
        assigned = [a for a in (self.assigned, other.assigned) if a]
        self.assigned = max(assigned, key=lambda pair: pair[0], default=None)


class People:
    """What people do to incidents, and a model of what has to come of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pages: dict[int, Page] = {}

    def page(self, identity: int) -> Page:
        return self.pages.setdefault(identity, Page())

    def act(self, row: Any, change: Change, minute: int) -> None:
        now = TODAY + minute * MINUTE
        if change == Change() or not self._legal(row, change):
            before = everything(self.engine)
            with pytest.raises(IllegalChangeError):
                change_incident(self.engine, row["id"], change, actor="ann", now=now)
            assert everything(self.engine) == before
            return
        detail = change_incident(
            self.engine,
            row["id"],
            change,
            actor="ann",
            version=row["version"],
            now=now,
            routing=OPS,
        )
        assert detail.version - row["version"] in {0, 1}
        page = self.page(row["id"])
        if change.status:
            page.decide(row, change, now)
        page.labels = page.labels.union(change.add_labels).difference(change.remove_labels)
        assignee = page.assigned[1] if page.assigned else None
        if not isinstance(change.assignee, Keep) and change.assignee != assignee:
            page.assigned = (max(now, page.assigned[0]) if page.assigned else now, change.assignee)
        page.comments += change.comment is not None

    def join(self) -> None:
        """Take over what was said about incidents that are part of others now."""
        merged = {row["id"]: row["merged_into"] for row in rows(self.engine, IncidentRow)}
        for identity in [i for i in self.pages if merged[i] is not None]:
            page = self.pages[identity]
            assert self.comments(identity) == page.comments
            root = merged[identity]
            while merged[root] is not None:
                root = merged[root]
            if page.decision or page.labels or page.assigned:
                self.page(root).take_over(page)
                self.pages[identity] = Page(comments=page.comments)

    def comments(self, identity: int) -> int:
        detail = everything(self.engine)["timeline"]
        return sum(row.incident_id == identity and row.action == "commented" for row in detail)

    def check(self) -> None:
        for row in living(self.engine):
            page = self.page(row["id"])
            assert self.comments(row["id"]) == page.comments
            assert tuple(row["labels"]) == tuple(sorted(page.labels))
            assert row["assignee"] == (page.assigned[1] if page.assigned else None)
            found = (row["status"], row["resolution"], row["auto_resolved"], row["acknowledged_at"])
            assert found == outcome(page.decision, row)

    def _legal(self, row: Any, change: Change) -> bool:
        if row["merged_into"] is not None:
            return False
        if change.status is None or change.status in MOVES[row["status"]]:
            return True
        corrects = row["auto_resolved"] or change.resolution != row["resolution"]
        return change.status == row["status"] and change.status in OVER and corrects


def outcome(decision: Decision | None, row: Any) -> tuple[Any, ...]:
    """Where an incident has to stand once everything is calm."""
    if decision is None:
        return "resolved", None, True, None
    seen = decision.seen
    holds = row["mode"] == "monitor" or (seen is not None and row["severity"] <= seen)
    if decision.status in OVER and holds:
        return decision.status, decision.resolution, False, decision.acknowledged_at
    if decision.opened_again and decision.last_at == row["last_at"]:
        return decision.status, None, True, decision.acknowledged_at
    return "resolved", None, True, decision.acknowledged_at


def check_legal(engine: Engine) -> None:
    for row in rows(engine, IncidentRow):
        state = stored_state(row)
        assert row["status"] in MOVES
        assert (row["resolution"] is not None) == state.ended_by_person
        assert not (row["status"] == "closed" and row["auto_resolved"])
        if row["merged_into"] is not None:
            assert (row["status"], row["resolution"]) == ("closed", "duplicate")
            assert row["parent_id"] is None
        elif row["status"] in MOVES and row["status"] not in OVER:
            assert (row["status"] == "acknowledged") == (row["acknowledged_at"] is not None)


def check_contents(engine: Engine, findings: list[Finding]) -> None:
    """Living incidents are the components of all findings, whatever people decided."""
    expected = []
    for entity in {(f.entity_type, f.entity) for f in findings}:
        own = [f for f in findings if (f.entity_type, f.entity) == entity]
        bare = [replace(finding, evidence=()) for finding in own]
        for part in components(merge_runs([], bare)):
            first, last = part[0].first, max(f.last for f in part)
            evidence = earliest(e for f in own if first <= f.first <= last for e in f.evidence)
            expected.append((content_of(part, evidence), evidence))
    found = [
        (stored_content(row), earliest(map(stored_evidence, of(engine, EvidenceRow, row["id"]))))
        for row in living(engine)
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def of(engine: Engine, model: type[Model], incident: int) -> list[Any]:
    return [row for row in rows(engine, model) if row["incident_id"] == incident]


def play_any_order(engine: Engine, data: st.DataObject) -> None:
    """Findings, changes and replays in any order: legal, as the rules say, and kept."""
    findings = data.draw(st.lists(found(0, 150, tuple(KINDS)), min_size=1, max_size=9))
    store = Store(engine, now=lambda: TODAY)
    people = People(engine)
    times = iter(data.draw(st.permutations(range(30))))
    done: list[Finding] = []
    for portion in data.draw(portions(findings)):
        watermark = data.draw(st.sampled_from([None, at(60), at(END)]))
        store.record(portion, watermark=watermark, routing=OPS)
        done += portion
        people.join()
        check_legal(engine)
        for change in data.draw(st.lists(changes(), max_size=3)):
            everybody = rows(engine, IncidentRow)
            people.act(data.draw(st.sampled_from(everybody)), change, next(times))
            check_legal(engine)
        if data.draw(st.booleans()):
            before = everything(engine)
            for repeated in data.draw(again(done)):
                assert store.record(repeated, watermark=watermark, routing=OPS) == []
            assert everything(engine) == before
    store.record([], watermark=at(END), routing=OPS)
    check_contents(engine, findings)
    people.check()


@dataclass(frozen=True)
class Scene:
    """One stretch of time, what people saw of it, and what they decided then."""

    findings: list[Finding]
    calm: bool
    acts: list[tuple[str, int, Change]]

    def seen(self, engine: Engine, entity: str) -> Any:
        first = min(finding.first for finding in self.findings)
        last = max(finding.last for finding in self.findings)
        (row,) = [
            row
            for row in living(engine)
            if row["entity"] == entity and first <= row["started_at"] <= last
        ]
        return row


#: Minutes from one scene to the next: too far to be one incident, until something comes between.
SCENE: Final = 45


@st.composite
def scenes(draw: st.DrawFn) -> list[Scene]:
    several: list[Scene] = []
    times = iter(draw(st.permutations(range(20))))
    for number in range(draw(st.integers(2, 3))):
        first = number * SCENE
        kinds = tuple(kind for kind in KINDS if kind != "slow")
        findings = draw(st.lists(found(first, first + 10, kinds), min_size=1, max_size=3))
        entities = st.sampled_from(sorted({finding.entity for finding in findings}))
        acts = draw(st.lists(st.tuples(entities, changes()), max_size=4))
        several.append(
            Scene(findings, draw(st.booleans()), [(who, next(times), what) for who, what in acts])
        )
    return several


def play(engine: Engine, several: list[Scene], late: list[Finding], draw: Any) -> list[Any]:
    """Play scenes in any order, what comes late after them; return the incidents in the end."""
    store, people = Store(engine), People(engine)
    for scene in draw(st.permutations(several)):
        for portion in draw(portions(scene.findings)):
            store.record(portion, watermark=None, routing=OPS)
        people.join()
        if scene.calm:
            store.record([], watermark=at(END), routing=OPS)
        for entity, minute, change in scene.acts:
            people.act(scene.seen(engine, entity), change, minute)
    for portion in draw(portions(late)):
        store.record(portion, watermark=draw(st.sampled_from([None, at(END)])), routing=OPS)
        people.join()
        check_legal(engine)
    store.record([], watermark=at(END), routing=OPS)
    people.check()
    check_contents(engine, [*(f for scene in several for f in scene.findings), *late])
    return in_the_end(engine)


def in_the_end(engine: Engine) -> list[Any]:
    """All that may not depend on the order: no numbers, no history."""
    stored = {row["id"]: row for row in living(engine)}
    return sorted(
        (
            (
                stored_content(row),
                replace(stored_state(row), calms=0),
                (parent := stored.get(row["parent_id"]))
                and (parent["entity"], parent["started_at"]),
                sorted(map(repr, map(stored_finding, of(engine, FindingRow, row["id"])))),
                sorted(map(repr, map(stored_evidence, of(engine, EvidenceRow, row["id"])))),
            )
            for row in stored.values()
        ),
        key=repr,
    )


def play_other_order(fresh: Callable[[], Engine], data: st.DataObject) -> None:
    """The same findings and decisions, arriving otherwise, come to the same incidents."""
    several = data.draw(scenes())
    gaps = range(SCENE, SCENE * len(several), SCENE)
    late = [data.draw(found(gap - 30, gap - 5, tuple(KINDS))) for gap in gaps]
    late += data.draw(st.lists(found(0, SCENE * len(several), tuple(KINDS)), max_size=3))
    first = play(fresh(), several, late, data.draw)
    assert play(fresh(), several, late, data.draw) == first


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Callable[[], Engine]]:
    opened = open_database("sqlite://")

    def fresh() -> Engine:
        erase(opened)
        return opened

    yield fresh
    opened.dispose()


@pytest.fixture(scope="module")
def on_postgresql(postgresql: Server, postgresql_template: URL) -> Iterator[Callable[[], Engine]]:
    url = postgresql.create(template=postgresql_template)
    opened = open_database(shown(url))

    def fresh() -> Engine:
        erase(opened)
        return opened

    yield fresh
    opened.dispose()
    postgresql.drop(url)


@settings(SLOW, max_examples=100)
@given(data=st.data())
def test_any_order_is_legal_and_replays_change_nothing(
    in_memory: Callable[[], Engine], data: st.DataObject
) -> None:
    play_any_order(in_memory(), data)


@settings(SLOW, max_examples=60)
@given(data=st.data())
def test_another_order_comes_to_the_same(
    in_memory: Callable[[], Engine], data: st.DataObject
) -> None:
    play_other_order(in_memory, data)


@settings(SLOW, max_examples=8)
@given(data=st.data())
def test_any_order_on_postgresql(on_postgresql: Callable[[], Engine], data: st.DataObject) -> None:
    play_any_order(on_postgresql(), data)


@settings(SLOW, max_examples=5)
@given(data=st.data())
def test_another_order_on_postgresql(
    on_postgresql: Callable[[], Engine], data: st.DataObject
) -> None:
    play_other_order(on_postgresql, data)
