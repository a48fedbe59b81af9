"""What learned detectors say of how far they are, as the API tells it."""

from collections.abc import Iterable, Mapping, Sequence

from api.learning import LearningAnswer
from detectors.learned.families import Families
from detectors.learned.family import Learning

#: What one that has seen nothing waits for.
_NOTHING = "traffic that it watches"


def learning_of(learned: Families) -> Mapping[str, LearningAnswer]:
    """Return how far each of the detectors that learn is, by name."""
    rows: dict[str, list[Learning]] = {name: [] for name in learned.detectors}
    for row in learned.status():
        rows.setdefault(row.detector, []).append(row)
    return {name: _answer(those) for name, those in rows.items()}


def _answer(rows: Sequence[Learning]) -> LearningAnswer:
    young = [row for row in rows if row.days < row.of_days]
    least = min(young or rows, key=lambda row: row.days, default=None)
    learned = _series(row for row in rows if row.days >= row.of_days)
    return LearningAnswer(
        ready=learned > 0,
        series=_series(rows),
        learned=learned,
        day=0 if least is None else least.days,
        of_days=0 if least is None else least.of_days,
        since=min((row.since for row in rows if row.since is not None), default=None),
        waits_for=_waits_for(young, least),
    )


def _series(rows: Iterable[Learning]) -> int:
    return sum(row.series for row in rows)


def _waits_for(young: Sequence[Learning], least: Learning | None) -> str | None:
    if least is None:
        return _NOTHING
    if not young:
        return None
    left = least.of_days - least.days
    return f"{left} more {'day' if left == 1 else 'days'} of traffic of {_series(young):,} series"
