"""One event as the rules see it: which count it, and why the others do not.

What counts is asked of the same functions that the kernel uses; reasons are looked for only where
they say no.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from detectors.aggregate import Matches, matches
from detectors.arrays import Arrays
from detectors.decoded import with_decoded
from detectors.fields import DERIVED
from detectors.rules import Rule
from detectors.selecting import Selections
from detectors.series import Part, Series, Source
from detectors.wording import why_not

#: Whether a rule counts an event, would but for something else than its condition, or does not.
Verdict = Literal["counts", "left_out", "no_match"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule makes of an event.

    `entity` is for whom it counts. `why` is the first part of the condition that does not hold, or
    what keeps a match from being counted; `parts` are the plain rules that match. `raised` says
    that it also calls for the rule's raised level.
    """

    rule: Rule
    verdict: Verdict
    entity: str | None
    why: str
    parts: tuple[str, ...]
    raised: bool


class Single:
    """Holds rules against one event at a time."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        every = (series for rule in self._rules for series in rule.every_series())
        self._selections = Selections(source.part for each in every for source in each.sources)

    def judge(self, event: pl.DataFrame) -> list[Judged]:
        """Return what each rule makes of an event: one row of BATCH_SCHEMA, in order of rules."""
        if event.height != 1:
            raise ValueError(f"one event is judged at a time, not {event.height}")
        arrays, accepted = Arrays(event), self._selections.rows(event)
        full = with_decoded(event)
        reasons: dict[Part, str | None] = {}

        def reason(part: Part) -> str | None:
            if part not in reasons:
                reasons[part] = why_not(part, full)
            return reasons[part]

        found = []
        for rule in self._rules:
            series = rule.series
            mine = matches(series, arrays, accepted)
            there = [source for source in series.sources if len(accepted[source.part])]
            parts = tuple(dict.fromkeys(source.part.name for source in there))
            if mine is not None:
                entity = _entity(series, mine, event, arrays)
                raised = rule.raised is not None and bool(
                    matches(rule.raised.series, arrays, accepted)
                )
                found.append(Judged(rule, "counts", entity, "", parts, raised))
            elif there:
                why = str(why_left_out(series, there, event)[0])
                found.append(Judged(rule, "left_out", None, why, parts, raised=False))
            else:
                why = _first(series.sources, reason)
                found.append(Judged(rule, "no_match", None, why, (), raised=False))
        return found


def why_left_out(series: Series, sources: Sequence[Source], events: pl.DataFrame) -> pl.Series:
    """Return why each of some events (BATCH_SCHEMA) that some sources accept is not counted."""
    told = [
        pl.when(holds).then(pl.lit(why)) for holds, why in _reasons(series, sources)
    ]  # the first that holds
    wanted = [*series.values, *([series.weight] if series.weight else [])]
    columns = sorted(name for name in wanted if name not in DERIVED and name in events.columns)
    gaps = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in columns]
    missing = pl.concat_str(gaps, separator=" or ", ignore_nulls=True) if gaps else pl.lit("")
    names = pl.when(missing != "").then(missing).otherwise(pl.lit(" or ".join(wanted)))
    last = pl.format("there is no {} to count", names)
    return events.select(pl.coalesce(*told, last).alias("why"))["why"]


def _reasons(series: Series, sources: Sequence[Source]) -> Iterator[tuple[pl.Expr, str]]:
    """Yield what keeps an event from being counted whatever it says, and its words, in order."""
    if not series.windowless:
        late = "it came more than a minute late, so it counts only for rules without a window"
        yield ~pl.col("windowed"), late
    if series.edge:
        inside = "it was seen behind the edge (role internal): clients count where they arrive"
        yield ~pl.col("edge"), inside
    for source in sources:
        if source.keys and not series.watches_all:
            yield pl.col(source.keys[0]).is_null(), f"there is no {source.keys[0]} to count it for"
    for each in series.exceptions:
        until = f" until {each.until:%Y-%m-%d %H:%M} UTC" if each.until else ""
        yield each.expression(), f"an exception of the settings{until}: {each.why}"


def _first(sources: Sequence[Source], reason: Callable[[Part], str | None]) -> str:
    """Return why the first of the sources does not match; several of them by their names."""
    told = [(source.part.name, reason(source.part) or "") for source in sources]
    if len(told) == 1:
        return told[0][1]
    return "; ".join(f"{name}: {why}" for name, why in dict(told).items())


def _entity(series: Series, mine: Matches, event: pl.DataFrame, arrays: Arrays) -> str:
    if series.watches_all:
        return "all"
    keys = series.sources[int(mine.source[0])].keys
    if keys[0] not in event.columns:
        return ""
    return str(arrays.texts(keys[0], pl.Series([0]))[0])
