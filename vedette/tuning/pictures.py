"""Sweeps and peaks drawn, for notebooks. matplotlib is imported when something is drawn."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

#: Colours that people with any colour vision tell apart (Okabe and Ito), by label.
_COLOURS: Final = {
    "attack": "#D55E00",
    "other attack": "#CC79A7",
    "benign": "#E69F00",
    "unsure": "#999999",
    "unknown": "#0072B2",
}
_RECALL, _INCIDENTS, _FALSE, _PROPOSED = "#0072B2", "#555555", "#D55E00", "#009E73"


def draw_sweep(
    swept: "pd.DataFrame", now: int, proposed: int | None = None, title: str = ""
) -> "Figure":
    """Draw incidents and false alarms a day, and below them recall, against the limit."""
    from matplotlib.figure import Figure

    has_recall = bool(swept["recall"].notna().any())
    rows = 2 if has_recall else 1
    figure = Figure(figsize=(8, 2.6 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    top = axes[0]
    limits = swept["threshold"]
    top.plot(limits, swept["incidents_a_day"], ".-", color=_INCIDENTS, label="incidents")
    if swept["false_alarms_a_day"].notna().any():
        top.plot(limits, swept["false_alarms_a_day"], ".-", color=_FALSE, label="false alarms")
    top.set_ylabel("a day")
    top.set_yscale("symlog", linthresh=1)
    top.yaxis.set_major_formatter(_plain())
    top.set_ylim(bottom=-0.1)
    if has_recall:
        axes[1].plot(limits, swept["recall"], ".-", color=_RECALL, label="recall")
        axes[1].set_ylabel("recall")
        axes[1].set_ylim(-0.03, 1.05)
    for each in axes:
        each.axvline(now, color="#999999", linestyle="--", label=f"now: {now}")
        if proposed is not None and proposed != now:
            each.axvline(proposed, color=_PROPOSED, label=f"proposed: {proposed}")
        each.grid(alpha=0.3)
    axes[-1].set_xscale("log")
    _number(axes[-1], int(limits.min()), int(limits.max()))
    axes[-1].set_xlabel("threshold")
    top.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def draw_peaks(highest: "pd.DataFrame", now: int, title: str = "") -> "Figure":
    """Draw how many entities came how high, a strip for each label."""
    import numpy as np
    from matplotlib.figure import Figure

    labels = [label for label in _COLOURS if (highest["label"] == label).any()]
    figure = Figure(figsize=(8, 1.1 + 1.2 * max(len(labels), 1)), layout="constrained")
    strips = figure.subplots(max(len(labels), 1), 1, sharex=True, squeeze=False)[:, 0]
    low = max(1, int(highest["peak"].min()) if len(highest) else 1)
    top = max(int(highest["peak"].max()) if len(highest) else 1, now) + 1
    edges = np.unique(np.round(np.geomspace(low, top * 1.1, 45))) - 0.5
    for axes, label in zip(strips, labels, strict=False):
        values = highest.loc[highest["label"] == label, "peak"].to_numpy()
        axes.hist(values, bins=edges.tolist(), color=_COLOURS[label])
        axes.set_ylabel(f"{label}\n({len(values)})", fontsize=9)
        axes.set_yscale("symlog", linthresh=1)
        most = max(2.0, axes.get_ylim()[1])
        digits = (1, 3) if most < 30 else (1,)  # noqa: PLR2004 - room for more numbers
        steps = [10**power * digit for power in range(8) for digit in digits]
        axes.set_yticks([0, *(step for step in steps if step <= most)])
        axes.set_ylim(0, most)
        axes.yaxis.set_major_formatter(_plain())
        axes.minorticks_off()
    for axes in strips:
        axes.axvline(now - 0.5, color="#555555", linestyle="--")
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    strips[-1].set_xscale("log")
    _number(strips[-1], low, top)
    strips[-1].set_xlabel(f"highest value within one window (dashed: the limit now, {now})")
    figure.suptitle(title, fontsize=11)
    return figure


def _plain() -> "Formatter":
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:g}")


def _number(axes: "Axes", low: int, high: int) -> None:
    """Number a logarithmic axis with round numbers, as people write them."""
    round_ones = [digit * 10**power for power in range(8) for digit in (1, 2, 3, 5)]
    axes.set_xticks([number for number in round_ones if low <= number <= high])
    axes.xaxis.set_major_formatter(_plain())
    axes.minorticks_off()
