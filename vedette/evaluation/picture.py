"""A report as a picture. matplotlib is imported here and only when a picture is wanted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vedette.evaluation.matching import AttackOutcome, Matched
from vedette.evaluation.report import DetectorScore, Report
from vedette.evaluation.tables import duration, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours that people with any colour vision tell apart (Okabe and Ito).
RECALL_COLOUR, PRECISION_COLOUR = "#0072B2", "#E69F00"
_INTENSITY_COLOURS: Final = {"weak": "#009E73", "medium": "#0072B2", "strong": "#D55E00"}
_OTHER_COLOUR: Final = "#555555"

_TICKS: Final = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3_600: "1 h", 21_600: "6 h"}

#: Where in the strip a missed attack stands.
_MISSED_AT: Final = 100_000


class PictureError(Exception):
    """No picture can be drawn; the message says what to do."""


def check_picture(path: Path) -> None:
    """Raise PictureError if a picture could not be drawn into this file."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise PictureError(
            "--picture needs matplotlib, which is not installed: "
            "pip install 'vedette[notebooks]', or leave the option out"
        ) from error
    del mpl
    if path.suffix.lower() != ".png":
        raise PictureError(f"--picture {path}: the name must end in .png")
    if not path.absolute().parent.is_dir():
        raise PictureError(f"--picture {path}: there is no folder {path.absolute().parent}")


def draw(report: Report, matched: Matched, path: Path) -> None:
    """Write a PNG: recall and precision of each detector, beside the time to detect."""
    from matplotlib.figure import Figure

    scores = [score for score in report.by_detector if score.findings or score.recall.attacks]
    height = 2.2 + 0.42 * max(len(scores), 3)
    figure = Figure(figsize=(12, height), layout="constrained")
    figure.suptitle(_title(report), fontsize=12)
    bars, strip = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.2))
    _bars(bars, scores)
    _strip(strip, scores, matched.attacks)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _title(report: Report) -> str:
    found = report.overall
    return (
        f"recall {share(found.recall)} ({found.found} of {found.attacks} attacks), "
        f"precision {share(report.precision)} "
        f"({report.incidents - report.false_alarms} of {report.incidents} incidents), "
        f"{report.false_alarms} false alarms in {duration(report.days * 86_400)}"
    )


def _bars(axes: "Axes", scores: Sequence[DetectorScore]) -> None:
    """Two bars a detector; a word where there is nothing to measure."""
    for place, score in enumerate(scores):
        _bar(axes, place - 0.2, score.recall.recall, RECALL_COLOUR, "no attack for it")
        _bar(axes, place + 0.2, score.precision, PRECISION_COLOUR, "no finding")
    axes.set_yticks(range(len(scores)), [score.detector for score in scores])
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("share")
    axes.set_title("recall and precision", fontsize=10, loc="left")
    axes.barh([-5], [0], color=RECALL_COLOUR, label="recall")
    axes.barh([-5], [0], color=PRECISION_COLOUR, label="precision")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    _legend(axes)


def _bar(axes: "Axes", place: float, value: float | None, colour: str, otherwise: str) -> None:
    if value is None:
        axes.text(0.01, place, otherwise, va="center", fontsize=7, color="#777777")
        return
    axes.barh([place], [value], height=0.36, color=colour)
    axes.text(value + 0.01, place, f"{value:.2f}", va="center", fontsize=7)


def _strip(axes: "Axes", scores: Sequence[DetectorScore], attacks: Sequence[AttackOutcome]) -> None:
    """One dot an attack that was found, in the row of the detector that must find it."""
    rows = {score.detector: place for place, score in enumerate(scores)}
    placed = [(a, rows[a.expected]) for a in attacks if a.expected in rows]
    intensities = dict.fromkeys(attack.intensity for attack, _ in placed)
    shift = {
        intensity: 0.22 * (number - (len(intensities) - 1) / 2)
        for number, intensity in enumerate(intensities)
    }
    for intensity in intensities:
        mine = [(a.seconds, row) for a, row in placed if a.intensity == intensity]
        axes.scatter(
            [max(seconds, 0.5) for seconds, _ in mine if seconds is not None],
            [row + shift[intensity] for seconds, row in mine if seconds is not None],
            s=22,
            alpha=0.75,
            color=_INTENSITY_COLOURS.get(intensity or "", _OTHER_COLOUR),
            label=intensity or "attack",
        )
    missed = [row + shift[a.intensity] for a, row in placed if not a.found]
    if missed:
        places = [_MISSED_AT] * len(missed)
        axes.scatter(places, missed, s=24, marker="x", color="#CC0000", label="missed")
    axes.set_xscale("log")
    axes.set_xlim(0.4, 2 * _MISSED_AT)
    axes.set_xticks([*_TICKS, _MISSED_AT], [*_TICKS.values(), "never"])
    axes.minorticks_off()
    axes.set_xlabel("from an attack's first request until a finding could be known")
    axes.set_title("time to detect", fontsize=10, loc="left")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    if placed:
        _legend(axes)


def _legend(axes: "Axes") -> None:
    """Put the legend above the plot, where it hides nothing."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        fontsize=8,
        ncols=4,
        frameon=False,
        borderaxespad=0.2,
    )
