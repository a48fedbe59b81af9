"""Pictures of a comparison as SVG: drawn here, so that they need no other program and no script.

Texts are escaped by the one who puts them in; colours are those that people with any colour
vision tell apart (Okabe and Ito).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from markupsafe import Markup, escape

from ingest.masking import printable
from vedette.backtest.comparing import Change, Comparison, Difference
from vedette.backtest.labels import Label
from vedette.backtest.peaks import Peaks

COLOURS: Final[dict[Change, str]] = {"gained": "#009E73", "lost": "#D55E00", "changed": "#E69F00"}
LABELS: Final[dict[Label, str]] = {
    "attack": "#D55E00",
    "false alarm": "#0072B2",
    "unsure": "#999999",
    "unknown": "#777777",
}
_BEFORE, _AFTER = "#8A97A6", "#0072B2"
_INK, _FAINT, _GRID = "#24303C", "#5F6B76", "#E3E8ED"
_WIDTH: Final = 860
_LEFT: Final = 210
_RIGHT: Final = 40
_ROW: Final = 30

#: Rows of a picture at most.
ROWS: Final = 16

#: Entities that are drawn of one detector at most, the highest; a mark names the first few.
_DOTS: Final = 2_000
_NAMED: Final = 5
#: The radius of a mark for very many entities.
_WIDEST: Final = 13.0

#: What labels are called where an entity need not have made an alarm.
_ROWS: Final[dict[Label, str]] = {"false alarm": "not an attack"}


def bars(compared: Comparison) -> Markup:
    """Draw how many incidents each detector has a part in, before and after."""
    counted = (
        Counter(d for each in compared.differences for i in each.before for d in i.detectors),
        Counter(d for each in compared.differences for i in each.after for d in i.detectors),
    )
    names = sorted(counted[0] | counted[1], key=lambda n: -max(counted[0][n], counted[1][n]))[:ROWS]
    if not names:
        return Markup("")
    most = max(max(counted[0][name], counted[1][name]) for name in names)
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    drawn: list[str] = []
    for place, name in enumerate(names):
        top = 10 + place * (_ROW + 8)
        drawn.append(_text(_LEFT - 10, top + 19, name, anchor="end"))
        for number, colour in ((0, _BEFORE), (1, _AFTER)):
            count = counted[number][name]
            y = top + number * 15
            drawn.append(_box(_LEFT, y, count * scale, 13, colour))
            drawn.append(_text(_LEFT + count * scale + 5, y + 11, f"{count:,}", size=11))
    height = 10 + len(names) * (_ROW + 8)
    drawn.append(_legend(height + 14, (("before", _BEFORE), ("after", _AFTER))))
    return _picture(drawn, height + 28, "Incidents that differ, by detector, before and after")


def timeline(compared: Comparison) -> Markup:
    """Draw when what is gained, lost and changed happened; filled marks are known attacks.

    What begins at one place of the picture has one mark, so that there are never too many.
    """
    if compared.span is None or not compared.differences:
        return Markup("")
    first, last = compared.span
    length = max((last - first).total_seconds(), 1.0)
    width = _WIDTH - _LEFT - _RIGHT
    drawn: list[str] = []
    kinds: list[Change] = [kind for kind in COLOURS if compared.only(kind)]
    for row, kind in enumerate(kinds):
        y = 24 + row * 44
        count = f"{kind} ({len(compared.only(kind)):,})"
        drawn.append(_text(_LEFT - 10, y + 4, count, anchor="end"))
        drawn.append(_across(y, _LEFT, _LEFT + width, _GRID))
        marks: dict[tuple[int, bool], list[Difference]] = defaultdict(list)
        for each in compared.only(kind):
            x = _LEFT + width * (each.started_at - first).total_seconds() / length
            marks[round(x), each.known.label == "attack"].append(each)
        for (place, attack), mine in marks.items():
            last_at = max(each.last_at for each in mine)
            end = _LEFT + width * (last_at - first).total_seconds() / length
            fill = COLOURS[kind] if attack else "#FFFFFF"
            drawn.append(_across(y, place, end, COLOURS[kind], 3))
            names = (f"{e.entity_type} {e.entity}, {e.known.label}" for e in mine[:_NAMED])
            told = "; ".join(names) + ("; ..." if len(mine) > _NAMED else "")
            style = f'r="6" fill="{fill}" stroke="{COLOURS[kind]}" stroke-width="2"'
            drawn.append(_dot(place, y, told, style))
    bottom = 24 + len(kinds) * 44
    for step in range(5):
        time = first + timedelta(seconds=length * step / 4)
        x = _LEFT + width * step / 4
        drawn.append(_down(x, bottom - 24, bottom - 18, _FAINT))
        drawn.append(_tick(x, bottom - 4, f"{time:%m-%d %H:%M}"))
    title = "When it happened (UTC); filled marks are known attacks"
    return _picture(drawn, bottom + 8, title)


def strip(peaks: Peaks) -> Markup:
    """Draw how high entities came within one window, a row a label, with both limits."""
    shown = peaks.entities[:_DOTS]
    labels: list[Label] = [name for name in LABELS if any(e.label == name for e in shown)]
    low = 0.85 * max(min([peaks.before, peaks.after, *(e.value for e in shown)]), 1)
    high = max([peaks.before, peaks.after, *(e.value for e in shown)]) * 1.15
    width = _WIDTH - _LEFT - _RIGHT

    def place(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low) if high > low else 0.5
        return _LEFT + width * share

    rows = max(len(labels), 1)
    bottom = 34 + rows * 40
    drawn = [_text(0, 14, peaks.detector, size=14)]
    drawn += [_down(place(tick), 30, bottom, _GRID) for tick in _ticks(low, high)]
    for row, label in enumerate(labels):
        y = 50 + row * 40
        mine = [each for each in shown if each.label == label]
        words = f"{_ROWS.get(label, label)} ({len(mine):,})"
        drawn.append(_text(_LEFT - 10, y + 4, words, anchor="end"))
        by_value: dict[int, list[str]] = defaultdict(list)
        for each in mine:
            by_value[each.value].append(each.entity)
        for value, entities in by_value.items():
            radius = min(4 + math.sqrt(len(entities) - 1), _WIDEST)
            style = f'r="{radius:.1f}" fill="{LABELS[label]}" fill-opacity=".75" stroke="#FFFFFF"'
            names = ", ".join(entities[:_NAMED]) + (", ..." if len(entities) > _NAMED else "")
            drawn.append(_dot(place(value), y, f"{value:,}: {names}", style))
    for limit, name, colour, level, dashes in (
        (peaks.before, "before", _BEFORE, 12, ' stroke-dasharray="5 4"'),
        (peaks.after, "after", _AFTER, 26, ""),
    ):
        x = place(limit)
        drawn.append(_down(x, 30, bottom, colour, f'stroke-width="2"{dashes}'))
        anchor = "end" if x > _WIDTH - _RIGHT - 60 else "middle"
        told = f"{name}: {limit:,}"
        drawn.append(_text(x, level, told, anchor=anchor, size=11, colour=colour))
    drawn += [_tick(place(tick), bottom + 16, f"{tick:,}") for tick in _ticks(low, high)]
    drawn.append(_tick(_LEFT + width / 2, bottom + 34, f"{peaks.unit} within {peaks.window}"))
    return _picture(drawn, bottom + 44, f"{peaks.detector}: how high entities came")


def _tick(x: float, y: float, text: str) -> str:
    return _text(x, y, text, anchor="middle", size=11, colour=_FAINT)


def _ticks(low: float, high: float) -> list[int]:
    """Return round numbers between two, at most about eight."""
    steps = [digit * 10**power for power in range(16) for digit in (1, 2, 5)]
    found = [step for step in steps if low <= step <= high]
    return found[:: max(1, math.ceil(len(found) / 8))]


def _picture(parts: Iterable[str], height: float, title: str) -> Markup:
    drawn = Markup("").join(Markup(part) for part in parts)  # noqa: S704 - made of escaped texts
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {} {:.0f}">'
        "<title>{}</title>{}</svg>"
    ).format(_WIDTH, height, title, drawn)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = _INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' fill="{colour}">{escape(printable(text))}</text>'
    )


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"'
        f' rx="2" fill="{colour}"/>'
    )


def _across(y: float, x: float, to: float, colour: str, width: int = 1) -> str:
    return f'<path d="M{x:.1f} {y:.1f}H{to:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _down(x: float, y: float, to: float, colour: str, style: str = "") -> str:
    return f'<path d="M{x:.1f} {y:.1f}V{to:.1f}" stroke="{colour}" {style}/>'


def _dot(x: float, y: float, told: str, style: str) -> str:
    title = escape(printable(told))
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" {style}><title>{title}</title></circle>'


def _legend(y: float, names: Sequence[tuple[str, str]]) -> str:
    return "".join(_entries(y, names))


def _entries(y: float, names: Sequence[tuple[str, str]]) -> Iterator[str]:
    for place, (name, colour) in enumerate(names):
        x = _LEFT + place * 90
        yield _box(x, y - 9, 12, 10, colour)
        yield _text(x + 18, y, name, size=11, colour=_FAINT)
