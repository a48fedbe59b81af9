"""Ground truth: which entity did what, and which detectors may rightly fire on it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

Verdict = Literal["attack", "near_miss"]


@dataclass(frozen=True, slots=True)
class Truth:
    """One scenario of a run: a row of the truth file.

    `detectors` may rightly fire on the entity, the first of them must for an attack; for a
    near-miss it is empty. `started_at` and `ended_at` are the times of its first and last request.
    """

    scenario: str
    kind: Verdict
    entity_type: str
    entity: str
    detectors: tuple[str, ...]
    started_at: datetime
    ended_at: datetime
    requests: int

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
                "detectors": tuple(row["detectors"]),
                "started_at": datetime.fromisoformat(row["started_at"]),
                "ended_at": datetime.fromisoformat(row["ended_at"]),
            }
        )


def write_truth(rows: Iterable[Truth], path: Path) -> None:
    """Write one row a line."""
    path.write_text("".join(f"{row.to_json()}\n" for row in rows), encoding="utf-8")


def read_truth(path: Path) -> list[Truth]:
    """Read what `write_truth` wrote."""
    return [Truth.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
