"""What is in a log, drawn, for notebooks. matplotlib is imported when something is drawn."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vedette.tuning.exploring import CLASSES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

#: Colours that people with any colour vision tell apart (Okabe and Ito).
_OF_CLASS: Final = dict(
    zip(CLASSES, ("#56B4E9", "#0072B2", "#E69F00", "#D55E00", "#999999"), strict=True)
)
_OF_LABEL: Final = {"unknown": "#999999", "benign": "#009E73", "attack": "#D55E00"}
_OF_LEVEL: Final = {
    "informational": "#999999",
    "low": "#56B4E9",
    "medium": "#E69F00",
    "high": "#D55E00",
    "critical": "#CC79A7",
}
_LINE: Final = "#333333"

#: The least length of a bar, in days.
_MINUTE: Final = 1 / 24 / 60

#: Findings that a picture shows at most.
_MOST: Final = 40


def draw_traffic(slots: "pd.DataFrame") -> "Figure":
    """Draw requests over time by class of answer; below, the share that was not answered well."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    present = [name for name in CLASSES if slots[name].sum()]
    top.stackplot(
        slots.index, *(slots[name] for name in present), labels=present,
        colors=[_OF_CLASS[name] for name in present], linewidth=0,
    )  # fmt: skip
    top.set_ylabel("requests")
    top.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, fontsize=9, frameon=False)
    every = slots.sum(axis=1)
    for name in ("4xx", "5xx"):
        bottom.plot(slots.index, 100 * slots[name] / every, color=_OF_CLASS[name], label=name)
    bottom.set_ylabel("percent")
    bottom.set_ylim(bottom=0)
    _clock(bottom)
    for axes in (top, bottom):
        axes.grid(alpha=0.3)
    return figure


def draw_clients(every: "pd.DataFrame") -> "Figure":
    """Draw each client by its requests and its distinct paths; colour is what is known of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    for label, colour in _OF_LABEL.items():
        some = every[every["label"] == label]
        if len(some):
            axes.scatter(
                some["requests"], some["paths"], s=8 + 60 * some["not_ok"], color=colour,
                alpha=0.6, linewidth=0, label=f"{label} ({len(some):,})",
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_plainly())
    axes.grid(alpha=0.3)
    axes.set_xlabel("requests")
    axes.set_ylabel("distinct paths")
    axes.legend(fontsize=9, frameon=False, loc="upper left")
    axes.set_title("clients; the larger a point, the more of its requests failed", fontsize=11)
    return figure


def draw_findings(found: "pd.DataFrame") -> "Figure":
    """Draw findings as bars over time, a row for each detector; colour is the level."""
    from matplotlib import dates
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    names = list(dict.fromkeys(found["detector"]))[:_MOST]
    figure = Figure(figsize=(9, 1.2 + 0.22 * max(len(names), 1)), layout="constrained")
    axes = figure.subplots()
    for row in found[found["detector"].isin(names)].itertuples():
        first, last = (dates.date2num(time) for time in (row.first, row.last))  # type: ignore[no-untyped-call]
        axes.barh(
            names.index(row.detector), max(last - first, _MINUTE), left=first, height=0.7,
            color=_OF_LEVEL[row.level], alpha=0.8,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.xaxis_date()
    _clock(axes)
    axes.grid(alpha=0.3, axis="x")
    levels = [level for level in _OF_LEVEL if (found["level"] == level).any()]
    handles = [Patch(color=_OF_LEVEL[level], label=level) for level in levels]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, fontsize=9, frameon=False
    )
    return figure


def draw_points(counted: "Sequence[Mapping[str, Any]]") -> "Figure":
    """Draw what detectors counted over time against their limits: the API's `points`."""
    from matplotlib.figure import Figure

    rows = [each for each in counted if each["points"]]
    figure = Figure(figsize=(9, 0.6 + 1.5 * max(len(rows), 1)), layout="constrained")
    panels = figure.subplots(max(len(rows), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, each in zip(panels, rows, strict=False):
        times = [datetime.fromisoformat(point["at"]) for point in each["points"]]
        values = [point["value"] for point in each["points"]]
        axes.step(times, values, ".-", color="#0072B2", where="post")
        limits = [point["threshold"] for point in each["points"]]
        if len(set(limits)) == 1:
            axes.axhline(limits[0], color=_LINE, linestyle="--")
        else:
            axes.step(times, limits, color=_LINE, linestyle="--", where="post")
        axes.set_title(f"{each['detector']}: {each['unit']} (dashed: the limit)", fontsize=9)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    _clock(panels[-1])
    return figure


def draw_counters(counted: "pd.DataFrame") -> "Figure":
    """Draw counters against their limits: what was counted, and the most of any window."""
    from matplotlib.figure import Figure

    rows = counted.head(15)
    figure = Figure(figsize=(9, 1.0 + 0.3 * max(len(rows), 1)), layout="constrained")
    axes = figure.subplots()
    places = list(range(len(rows)))
    colours = ["#D55E00" if over else "#0072B2" for over in rows["over"]]
    axes.barh(places, 100 * rows["share"], color=colours, height=0.6)
    axes.plot(
        100 * rows["peak"] / rows["limit"].clip(lower=1), places, "|", color=_LINE, markersize=12,
        label="the most of any window",
    )  # fmt: skip
    axes.axvline(100, color=_LINE, linestyle="--", label="the limit")
    axes.set_yticks(places, rows["rule"], fontsize=9)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=10)
    axes.xaxis.set_major_formatter(_plainly())
    axes.set_xlabel("percent of the limit")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _clock(axes: "Axes") -> None:
    """Number an axis of times as briefly as they can be told apart."""
    from matplotlib import dates

    locator = axes.xaxis.get_major_locator()
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _plainly() -> "Formatter":
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}")  # noqa: PLR2004
