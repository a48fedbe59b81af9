"""Ground truth: which entity did what, and which detectors may rightly fire on it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from detectors.findings import EntityType

#: What a row is. An attack must be found and a near-miss must not; an `unseen` attack cannot be
#: told from this log, so that nothing said about it is wrong and nothing is missed.
Verdict = Literal["attack", "near_miss", "unseen"]
Intensity = Literal["weak", "medium", "strong"]
INTENSITIES: Final[tuple[Intensity, ...]] = ("weak", "medium", "strong")

#: Columns of simulated events that combined lines do not carry.
_NOT_IN_COMBINED: Final = frozenset(
    {"service", "api_key", "country", "asn", "scheme", "request_bytes"}
)


@dataclass(frozen=True, slots=True)
class Truth:
    """One scenario of a run: a row of the truth file.

    `detectors` may rightly fire on the entity, the first of them must for an attack; for a
    near-miss it is empty. `started_at` and `ended_at` are the times of its first and last request.
    `intensity` is how strong an attack is, None for a near-miss. `members` are the clients of an
    attack from many. `also` are further entities (type, value) that may rightly be reported with
    it, in the same span. `needs` are columns of the event table without which a log does not
    show the attack. An entity is written as in the event table, a key as in the log.
    """

    scenario: str
    kind: Verdict
    entity_type: EntityType
    entity: str
    detectors: tuple[str, ...]
    started_at: datetime
    ended_at: datetime
    requests: int
    intensity: Intensity | None = None
    members: tuple[str, ...] = ()
    also: tuple[tuple[EntityType, str], ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def clients(self) -> tuple[str, ...]:
        """The addresses of those who did it; none for what befell ordinary traffic."""
        return self.members or ((self.entity,) if self.entity_type == "client" else ())

    @property
    def entities(self) -> frozenset[tuple[EntityType, str]]:
        """Everything that may rightly be reported: the entity, its members, and `also`."""
        members: set[tuple[EntityType, str]] = {("client", member) for member in self.members}
        return frozenset({(self.entity_type, self.entity), *self.also} | members)

    def to_json(self) -> str:
        """Return the row as one line of JSON, times in ISO 8601."""
        times = {"started_at": self.started_at.isoformat(), "ended_at": self.ended_at.isoformat()}
        return json.dumps({**asdict(self), **times})

    @classmethod
    def from_json(cls, line: str) -> "Truth":
        """Return the row that `to_json` wrote."""
        row = json.loads(line)
        return cls(
            **{
                **row,
                **{name: tuple(row.get(name, ())) for name in ("detectors", "members", "needs")},
                "also": tuple((kind, value) for kind, value in row.get("also", ())),
                "started_at": datetime.fromisoformat(row["started_at"]),
                "ended_at": datetime.fromisoformat(row["ended_at"]),
            }
        )


def in_combined(rows: Iterable[Truth]) -> list[Truth]:
    """Return the truth about a log of combined lines, which name no service, key or country."""
    return [_in_combined(row) for row in rows]


def _in_combined(row: Truth) -> Truth:
    unseen = row.kind == "attack" and not _NOT_IN_COMBINED.isdisjoint(row.needs)
    return replace(
        row,
        kind="unseen" if unseen else row.kind,
        entity=_without_service(row.entity_type, row.entity),
        also=tuple((kind, _without_service(kind, value)) for kind, value in row.also),
    )


def _without_service(kind: EntityType, value: str) -> str:
    return value.partition(" ")[2] if kind == "route" else value


def write_truth(rows: Iterable[Truth], path: Path) -> None:
    """Write one row a line."""
    path.write_text("".join(f"{row.to_json()}\n" for row in rows), encoding="utf-8")


def read_truth(path: Path) -> list[Truth]:
    """Read what `write_truth` wrote."""
    return [Truth.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
