"""What is expected of routes, drawn. matplotlib is imported when something is drawn."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from detectors.learned.spikes.arrays import Bools
from detectors.learned.spikes.kinds import VOLUME
from detectors.learned.spikes.scores import DOWN, UP
from ingest.times import microseconds, moment
from vedette.tuning.expectations import LENGTH, Watched, intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that people with any colour vision tell apart (Okabe and Ito).
_COUNT, _EXPECTED, _USUAL, _LIMIT, _FOUND = "#555555", "#0072B2", "#56B4E9", "#E69F00", "#D55E00"

#: Chances (on either side) of the shade that is drawn as usual.
USUAL: Final = 0.001

#: Detectors that watch how many requests there are.
_VOLUME: Final = frozenset({"volume_spike", "volume_drop"})


def draw_expectation(watched: Watched, route: str, days: tuple[int, int]) -> "Figure":
    """Draw what was counted of a route, expected, usual and told, from one day to another."""
    from matplotlib.dates import DateFormatter, DayLocator
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    counts, row = watched.counts, watched.counts.routes.index(route)
    day = 86_400_000_000 // LENGTH
    part = slice(days[0] * day, min(days[1] * day, len(counts.counted)))
    times = np.array([_at(watched, at) for at in range(part.start, part.stop)], dtype=object)
    low, high = (each[part] for each in intervals(watched, route, VOLUME, USUAL))
    axes.fill_between(times, low, high, color=_USUAL, alpha=0.35, linewidth=0, label="usual")
    if part.stop > watched.judged_from:
        least, most = (each[part] for each in intervals(watched, route, VOLUME, watched.limit))
        axes.plot(times, most, color=_LIMIT, linewidth=0.8, label="limit by the budget")
        axes.plot(times, least, color=_LIMIT, linewidth=0.8)
    axes.plot(
        times, counts.counted[part, row, VOLUME], ".", color=_COUNT, markersize=2, label="counted"
    )
    axes.plot(
        times, watched.expected[part, row, VOLUME], color=_EXPECTED, linewidth=1, label="expected"
    )
    _mark(axes, watched, route, (times[0], times[-1]))
    axes.xaxis.set_major_locator(DayLocator())  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%a %d"))  # type: ignore[no-untyped-call]
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, 1.15 * float(counts.counted[part, row, VOLUME].max(initial=1.0)))
    axes.set_ylabel("requests in 5 minutes")
    axes.set_title(route, loc="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=5, fontsize=8, frameon=False, markerscale=4)
    return figure


def _mark(axes: "Axes", watched: Watched, route: str, span: tuple[datetime, datetime]) -> None:
    label: str | None = "told"
    for each in watched.findings:
        inside = each.first <= span[1] and each.last >= span[0]
        if each.entity == route and each.detector in _VOLUME and inside:
            axes.axvspan(each.first, each.last, color=_FOUND, alpha=0.2, linewidth=0, label=label)  # type: ignore[arg-type]
            label = None


def draw_chances(watched: Watched) -> "Figure":
    """Draw how often p-values of single panes are below what: on the line they are what they say.

    Without the panes of what was told. In the shade they come up to twice as often, or a quarter.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    axes = figure.subplots()
    plain = watched.plain[watched.judged_from :, :, VOLUME]
    plain = plain[~_told(watched)[watched.judged_from :]]
    nominal = np.logspace(-4, -0.5, 40)
    axes.plot(nominal, nominal, color=_COUNT, linewidth=1, label="as they say")
    axes.fill_between(nominal, nominal / 4, nominal * 2, color=_USUAL, alpha=0.25, linewidth=0)
    for side, name, colour in ((UP, "more", _FOUND), (DOWN, "less", _EXPECTED)):
        values = plain[:, side]
        seen = [float((values < each).mean()) for each in nominal]
        axes.plot(nominal, np.maximum(seen, 1e-5), color=colour, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("p")
    axes.set_ylabel("share of panes with a p-value below")
    axes.legend(frameon=False)
    return figure


def _told(watched: Watched) -> Bools:
    """Return which panes of which routes belong to what was told of their requests."""
    counts = watched.counts
    found = np.zeros(counts.counted.shape[:2], np.bool_)
    for each in watched.findings:
        if each.detector in _VOLUME:
            first, last = (
                (microseconds(time) - counts.start) // LENGTH for time in (each.first, each.last)
            )
            found[first : last + 1, counts.routes.index(each.entity)] = True
    return found


def _at(watched: Watched, pane: int) -> datetime:
    return moment(watched.counts.start + pane * LENGTH)
