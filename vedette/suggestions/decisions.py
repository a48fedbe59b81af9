"""What people decided about incidents, as labels and as findings that were right or wrong."""

from alerts.lists.decided import Decided, decided_incidents
from vedette.evaluation.episodes import Episode
from vedette.settings import Settings
from vedette.stores import kept_database


def decided_episodes(settings: Settings, database: str | None) -> list[Episode]:
    """Return what people decided about incidents of a database, as evaluation knows it.

    Raises DatabaseError.
    """
    return [episode_of(each) for each in stored_decisions(settings, database, configured=True)]


def stored_decisions(
    settings: Settings, database: str | None, *, configured: bool, undecided: bool = False
) -> list[Decided]:
    """Return the incidents about which people decided, and others; raises DatabaseError."""
    engine, _ = kept_database(settings, database, configured=configured)
    try:
        return decided_incidents(engine, undecided=undecided)
    finally:
        engine.dispose()


def episode_of(decided: Decided) -> Episode:
    """Return a decision as an episode: an attack that is to be found, or what is harmless."""
    return Episode(
        name=f"incident {decided.id}: {decided.resolution}",
        kind="attack" if decided.attack else "benign",
        entities=frozenset({(decided.entity_type, decided.entity)}),
        started_at=decided.started_at,
        ended_at=decided.last_at,
        members=frozenset(decided.members) if decided.entity_type != "client" else frozenset(),
    )
