"""What the client model makes of a log, drawn. matplotlib is imported when something is drawn."""

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from detectors.learned.clients.features import FEATURES, SHARES
from detectors.learned.clients.model import ClientModel
from vedette.tuning.clients import LABELS, ClientLog

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that people with any colour vision tell apart (Okabe and Ito), by label.
_COLOURS: Final = dict(zip(LABELS, ("#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True))
_ALL, _USUAL, _LINE = "#999999", "#56B4E9", "#333333"
_COLUMNS: Final = 3
#: Points that a bar of `draw_oddness` is wide.
_BAR: Final = 5


def draw_features(log: ClientLog, odd: "pd.DataFrame", model: ClientModel) -> "Figure":
    """Draw how all windows spread in each feature, what is usual, and where some clients are.

    `odd` are rows of `clients.oddness`: each is a mark below the axis.
    """
    from matplotlib.figure import Figure

    rows = -(-len(FEATURES) // _COLUMNS)
    figure = Figure(figsize=(10, 1.75 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS).ravel()
    for axes, (name, meaning) in zip(panels, FEATURES.items(), strict=False):
        values, marked = log.history.found[name].to_numpy(), odd[name].to_numpy()
        usual = model.about.usual[name]
        axes.hist(values, _edges(name, np.concatenate([values, marked, [1.0]])), color=_ALL)
        axes.axvspan(usual.low - 0.5, usual.high + 0.5, color=_USUAL, alpha=0.3, linewidth=0)
        axes.plot(
            marked, np.full(len(marked), -0.06), "^", color=_LINE, markersize=5,
            transform=axes.get_xaxis_transform(), clip_on=False, zorder=5,
        )  # fmt: skip
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks([])
        axes.minorticks_off()
        axes.set_title(meaning, fontsize=9)
        axes.tick_params(labelsize=8, pad=8)
        if name not in SHARES:
            _logarithmic(axes)
    for axes in panels[len(FEATURES) :]:
        axes.set_axis_off()
    figure.suptitle(
        "windows of six hours (bars), what is usual (shade), the oddest clients (marks)",
        fontsize=11,
    )
    return figure


def draw_oddness(odd: "pd.DataFrame", model: ClientModel) -> "Figure":
    """Draw how odd the judged clients are, a strip for each label, with the limit."""
    from matplotlib.figure import Figure

    limit = model.about.limit
    labels = [label for label in LABELS if (odd["label"] == label).any()]
    figure = Figure(figsize=(9, 1.0 + 1.0 * max(len(labels), 1)), layout="constrained")
    strips = figure.subplots(max(len(labels), 1), 1, sharex=True, squeeze=False)[:, 0]
    lowest = min([limit, *odd["points"]]) - 3 * _BAR
    edges = np.arange(lowest - lowest % _BAR, max([limit, *odd["points"]]) + 4 * _BAR, _BAR)
    for axes, label in zip(strips, labels, strict=False):
        values = odd.loc[odd["label"] == label, "points"].to_numpy()
        axes.hist(values, edges.tolist(), color=_COLOURS[label])
        axes.set_ylabel(f"{label}\n({len(values)})", rotation=0, ha="right", va="center")
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=3)
    for axes in strips:
        axes.axvline(limit, color=_LINE, linestyle="--")
    strips[-1].set_xlabel(f"points of each client at its oddest (dashed: the limit, {limit})")
    return figure


def draw_pace(log: ClientLog, odd: "pd.DataFrame", model: ClientModel) -> "Figure":
    """Draw how long clients were busy against how many paths they took of each endpoint."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    found = log.history.found
    axes.plot(
        found["busy"].to_numpy(), found["paths_per_route"].to_numpy(), ".", color=_ALL,
        markersize=2, alpha=0.5, label="all windows",
    )  # fmt: skip
    for label, colour in _COLOURS.items():
        theirs = odd[odd["label"] == label]
        for told, face in ((False, "none"), (True, colour)):
            some = theirs[theirs["told"] == told]
            if len(some):
                axes.plot(
                    some["busy"].to_numpy(), some["paths_per_route"].to_numpy(), "o", color=colour,
                    markerfacecolor=face, label=f"{label}{', told' if told else ''}",
                )  # fmt: skip
    for each in (axes.xaxis, axes.yaxis):
        each.grid(alpha=0.3)
    axes.set_yscale("log")
    _logarithmic(axes)
    _plainly(axes, "yaxis")
    axes.set_xlabel(FEATURES["busy"])
    axes.set_ylabel(FEATURES["paths_per_route"])
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title(f"two of {len(FEATURES)} features; told from {model.about.limit} points on")
    return figure


def _edges(name: str, values: npt.NDArray[np.float64]) -> list[float]:
    """Return the edges of bars: percents as they are, counts on a logarithmic scale."""
    if name in SHARES:
        return [float(edge) for edge in np.linspace(0, 100, 41)]
    top = float(values.max())
    return [float(edge) for edge in np.unique(np.round(np.geomspace(1, 1.2 * top + 2, 41))) - 0.5]


def _logarithmic(axes: "Axes") -> None:
    axes.set_xscale("log")
    _plainly(axes, "xaxis")


def _plainly(axes: "Axes", name: str) -> None:
    """Write the numbers of a logarithmic axis as people do: 1, 100, 10k."""
    from matplotlib.ticker import FuncFormatter

    axis = getattr(axes, name)
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}")  # noqa: PLR2004
    )
    axes.minorticks_off()
