"""What of a truth file looks like a mistake, though it can be read."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches

from vedette.evaluation.episodes import Episode


def doubts(
    episodes: Sequence[Episode],
    detectors: Collection[str],
    span: tuple[datetime | None, datetime | None],
) -> Iterator[str]:
    """Yield what people should look at before they believe the figures.

    `detectors` are those that may find something, `span` the first and last event of the log.
    """
    if not episodes:
        yield "the truth has no rows: every incident is taken for a false alarm"
    first, last = span
    if first is not None and last is not None:
        attacks = [episode for episode in episodes if episode.attack]
        outside = [each for each in attacks if each.ended_at < first or each.started_at > last]
        if outside:
            yield (
                f"{len(outside)} of {len(attacks)} attacks are not in the log, which goes from"
                f" {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC: {outside[0].name}"
                f" ends {outside[0].ended_at:%Y-%m-%d %H:%M:%S}. Have the times an offset?"
            )
    named = {name for episode in episodes for name in episode.detectors}
    for name in sorted(named - set(detectors)):
        near = get_close_matches(name, detectors, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield f"the truth names a detector {name!r} that is not active{hint}"
