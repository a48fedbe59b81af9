"""Sigma rules compiled for the kernel: selections become parts, correlations what is counted."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from functools import reduce
from typing import Final

import polars as pl
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule
from sigma.correlations import SigmaCorrelationType as Type
from sigma.rule import SigmaRule

from detectors.conditions import UnsupportedConditionError, compile_condition
from detectors.counting import Counting
from detectors.documents import Document, VedetteKeys
from detectors.fields import ENTITY_TYPES, UnknownFieldError, column, field
from detectors.findings import Level
from detectors.overrides import RuleOverride
from detectors.panes import Panes
from detectors.rules import (
    Comparison,
    Measure,
    Outlier,
    Raised,
    Rule,
    Share,
    SharedAddress,
    Tier,
)
from detectors.series import SOURCES, Part, Series, Source

#: Rules that may be used at once, the built-in ones among them.
RULES_LIMIT: Final = 5_000

#: A plain rule that fires by itself makes one finding of matches no further apart than this.
SINGLE_EVENT_WINDOW: Final = timedelta(minutes=1)
WEB_CATEGORIES: Final = frozenset({"webserver", "proxy"})

_MEASURES: Final[Mapping[Type, Measure]] = {
    Type.EVENT_COUNT: "count",
    Type.VALUE_COUNT: "distinct",
    Type.TEMPORAL: "all_of",
    Type.TEMPORAL_ORDERED: "in_order",
    Type.VALUE_SUM: "sum",
    Type.VALUE_AVG: "average",
    Type.VALUE_PERCENTILE: "count",
    Type.VALUE_MEDIAN: "count",
}
_UNITS: Final[Mapping[Measure, str]] = {
    "count": "matching requests",
    "distinct": "distinct values",
    "neighbours": "values in sequence",
    "sum": "in all",
    "average": "on average",
    "all_of": "rules matched",
    "in_order": "rules matched in order",
}
_MEDIAN: Final = 50


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a rule works out, and when that is too much."""

    measure: Measure
    series: Series
    comparison: Comparison
    threshold: int
    matches: Series | None = None
    share: Share | None = None
    values: tuple[str, ...] = ()


def compile_rules(
    documents: Iterable[Document],
    overrides: Mapping[str, RuleOverride],
    tiers: Sequence[Tier] = (),
) -> list[Rule]:
    """Return the detectors that the documents describe, changed by the overrides, by name.

    A plain rule that another rule refers to does not fire by itself unless a correlation says
    `generate: true`. Raises RuleError for a rule that cannot be honoured.
    """
    written = list(documents)
    _refuse_twins(written)
    compiler = _Compiler(written, overrides, tuple(tiers))
    return sorted(compiler.rules(), key=lambda rule: rule.name)


def _refuse_twins(documents: Iterable[Document]) -> None:
    """Refuse two rules of one name: settings and findings could not tell them apart."""
    seen: dict[str, Document] = {}
    for count, document in enumerate(documents):
        if count == RULES_LIMIT:
            raise document.refuse(f"there are more than {RULES_LIMIT:,} rules")
        twin = seen.setdefault(document.name, document)
        if twin is not document:
            raise document.refuse(f"the name {document.name!r} is taken by {twin.file}:{twin.line}")


class _Compiler:
    """Compiles documents that refer to each other."""

    def __init__(
        self,
        documents: Sequence[Document],
        overrides: Mapping[str, RuleOverride],
        tiers: tuple[Tier, ...],
    ) -> None:
        self._documents = documents
        self._overrides = overrides
        self._tiers = tiers
        self._by_name = {name: each for each in documents for name in (each.name, *each.names)}
        self._parts: dict[str, Part] = {}

    def rules(self) -> list[Rule]:
        """Return every rule that fires by itself."""
        silent = {name for document in self._documents for name in self._silenced(document)}
        return [self._rule(each) for each in self._documents if each.name not in silent]

    def _silenced(self, document: Document) -> Iterable[str]:
        """Yield the names of the plain rules that fire no more because this rule uses them."""
        parsed, keys = document.parsed, document.keys()
        if isinstance(parsed, SigmaCorrelationRule) and not parsed.generate:
            yield from (part.name for part in self._referred(document, parsed))
        if keys.share is not None:
            yield self._named(document, keys.share.of).name
        if keys.raised is not None:
            yield self._named(document, keys.raised.when).name
        if keys.outlier is not None and keys.outlier.of is not None:
            yield self._named(document, keys.outlier.of).name

    def _referred(self, document: Document, parsed: SigmaCorrelationRule) -> list[Document]:
        references = [str(reference.reference) for reference in parsed.rules or ()]
        if not references:
            raise document.refuse("refers to no rule: not among the rules")
        return [self._named(document, reference) for reference in references]

    def _named(self, document: Document, name: str) -> Document:
        found = self._by_name.get(name)
        if found is None:
            near = get_close_matches(name, self._by_name, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise document.refuse(f"refers to {name}: not among the rules{hint}")
        if not isinstance(found.parsed, SigmaRule):
            raise document.refuse(
                f"refers to {name}: a correlation of correlations is not supported"
            )
        return found

    def _part(self, document: Document) -> Part:
        """Return the part of a plain rule, compiled once."""
        if document.name not in self._parts:
            self._parts[document.name] = _part(document)
        return self._parts[document.name]

    def _rule(self, document: Document) -> Rule:
        keys = document.keys()
        override = self._overrides.get(document.name, RuleOverride())
        try:
            counting = self._counting(document, override)
            measured = _measured(document, keys, counting)
            parsed, level = document.parsed, override.level
            return Rule(
                name=document.name,
                id=str(parsed.id or ""),
                title=str(parsed.title),
                description=str(parsed.description or "").strip(),
                level=_level(level or (parsed.level.name if parsed.level else "medium")),
                tags=tuple(sorted(str(tag) for tag in parsed.tags)),
                falsepositives=tuple(str(text) for text in parsed.falsepositives or ()),
                unit=keys.unit or _UNITS[measured.measure],
                entity_type=counting.entity_type,
                series=measured.series,
                measure=measured.measure,
                threshold=_threshold(measured, keys, override),
                window=counting.window,
                mode=override.mode,
                runbook=keys.runbook,
                written=_digest(document.data, override.model_dump_json()),
                comparison=measured.comparison,
                matches=measured.matches,
                least_matches=_least_matches(document, measured, keys),
                steps=len(counting.sources),
                consecutive=_consecutive(document, measured, keys, override),
                shared_address=_shared_address(document, measured, keys),
                share=measured.share or self._share(document, keys, counting, measured),
                outlier=self._outlier(document, keys, counting, measured),
                raised=self._raised(document, keys, counting),
                tiers=self._tiers if keys.tiers else (),
            )
        except (UnknownFieldError, UnsupportedConditionError) as error:
            raise document.refuse(str(error)) from error

    def _counting(self, document: Document, override: RuleOverride) -> Counting:
        """Return for whom a rule counts, over what window."""
        parsed, exceptions = document.parsed, override.exceptions
        if not isinstance(parsed, SigmaCorrelationRule):
            source = Source(self._part(document), (column("c-ip"),))
            return Counting((source,), SINGLE_EVENT_WINDOW, exceptions, windowless=True)
        window = timedelta(seconds=parsed.timespan.seconds)
        try:
            Panes.of(window)
        except ValueError as error:
            raise document.refuse(str(error)) from error
        parts = [self._part(each) for each in self._referred(document, parsed)]
        names = [str(reference.reference) for reference in parsed.rules or ()]
        keys = _keys(document, parsed, names)
        sources = tuple(Source(part, mine) for part, mine in zip(parts, keys, strict=True))
        return Counting(sources, window, exceptions)

    def _share(
        self, document: Document, keys: VedetteKeys, counting: Counting, measured: _Measured
    ) -> Share | None:
        if keys.share is None:
            return None
        if measured.measure not in {"count", "distinct"} or measured.share is not None:
            raise document.refuse("vedette.share: only counts of events or values have one")
        over_all = keys.share.over == "all"
        whole = counting.of(self._part(self._named(document, keys.share.of)), over_all=over_all)
        if over_all:  # what is excepted is traffic all the same
            whole = replace(whole, exceptions=())
        if measured.measure == "distinct" and not over_all and measured.series.kept == "hash":
            values = replace(whole.distinct(measured.values), members=False)
            return Share(values, keys.share.percent, over_all)
        series = whole.series(clients=measured.series.edge)
        return Share(series, keys.share.percent, over_all)

    def _outlier(
        self, document: Document, keys: VedetteKeys, counting: Counting, measured: _Measured
    ) -> Outlier | None:
        if keys.outlier is None:
            return None
        if measured.measure in {"all_of", "in_order"} or measured.share:
            raise document.refuse("vedette.outlier: only counts, sums and averages have outliers")
        if counting.entity_type == "all":
            raise document.refuse("vedette.outlier: needs an entity")
        if keys.outlier.of is not None:
            counting = counting.of(self._part(self._named(document, keys.outlier.of)))
        if measured.series.weight is not None:
            counting = counting.present(measured.values[0])
        return counting.outlier(keys.outlier.factor, measured.measure, measured.values)

    def _raised(self, document: Document, keys: VedetteKeys, counting: Counting) -> Raised | None:
        if keys.raised is None:
            return None
        when = self._part(self._named(document, keys.raised.when))
        return Raised(_level(keys.raised.level), counting.meeting(when).series())


def _part(document: Document) -> Part:
    rule = document.parsed
    if not isinstance(rule, SigmaRule):
        raise document.refuse("a correlation of correlations is not supported")
    if rule.logsource.category not in WEB_CATEGORIES:
        raise document.refuse("logsource category must be webserver or proxy")
    try:
        accepts = reduce(pl.Expr.or_, [compile_condition(each) for each in document.conditions])
    except (UnsupportedConditionError, UnknownFieldError) as error:
        raise document.refuse(str(error)) from error
    told = {"detection": document.data.get("detection")}
    signature = _digest(told, json.dumps(document.placeholders, sort_keys=True))
    return Part(document.name, signature, accepts, tuple(document.conditions))


def _keys(
    document: Document, parsed: SigmaCorrelationRule, references: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the key columns of each rule referred to, the watched entity first."""
    aliases = {
        alias.alias: {str(each.reference): name for each, name in alias.mapping.items()}
        for alias in parsed.aliases
    }
    found: list[tuple[str, ...]] = []
    for reference in references:
        columns: list[str] = []
        for name in parsed.group_by or ():
            mapping = aliases.get(name, {})
            if name in aliases and reference not in mapping:
                raise document.refuse(f"the alias {name!r} has no field for {reference}")
            columns.append(column(mapping.get(reference, name)))
        found.append(tuple(columns))
    places = [i for i, name in enumerate(found[0]) if name in ENTITY_TYPES]
    if not places:
        return found
    first = places[0]
    return [(keys[first], *keys[:first], *keys[first + 1 :]) for keys in found]


def _measured(document: Document, keys: VedetteKeys, counting: Counting) -> _Measured:
    parsed = document.parsed
    if not isinstance(parsed, SigmaCorrelationRule):
        return _Measured("count", _events(keys, counting), "gte", 1)
    measure = _MEASURES[parsed.type]
    condition = parsed.condition
    if measure in {"all_of", "in_order"}:
        return _sequence(document, measure, condition, counting)
    if not isinstance(condition, SigmaCorrelationCondition):
        raise document.refuse("an extended condition is supported for no correlation")
    comparison: Comparison = condition.op.name.lower()  # type: ignore[assignment]
    limit = _whole(document, condition.count)
    if parsed.type in {Type.VALUE_PERCENTILE, Type.VALUE_MEDIAN}:
        return _percentile(document, condition, comparison, limit, counting)
    if measure == "count":
        return _Measured(measure, _events(keys, counting), comparison, limit)
    names = _fields(document, condition)
    if measure == "distinct":
        kind, series, values = _values(document, keys, counting, names)
        return _Measured(kind, series, comparison, limit, values=values)
    number = _number(document, names)
    present = counting.present(number)
    matches = present.series() if measure == "average" else None
    return _Measured(
        measure, present.total(number), comparison, limit, matches=matches, values=(number,)
    )


def _values(
    document: Document, keys: VedetteKeys, counting: Counting, names: tuple[str, ...]
) -> tuple[Measure, Series, tuple[str, ...]]:
    """Return how distinct values are counted, and in which columns they are."""
    if keys.sequential:
        return "neighbours", counting.numbers(_number(document, names)), names
    if len(names) == 1 and field(names[0]).kind == "number":
        return "distinct", counting.numbers(names[0]), names
    columns = tuple(column(name) for name in names)
    if columns == ("user_agent",):  # a program that does not say its name is one too
        return "distinct", counting.programs(), columns
    return "distinct", counting.distinct(columns), columns


def _events(keys: VedetteKeys, counting: Counting) -> Series:
    return counting.series() if keys.shared_address is None else counting.programs()


def _sequence(
    document: Document, measure: Measure, condition: object, counting: Counting
) -> _Measured:
    """Return several rules that must all match, in any order or in theirs."""
    steps = len(counting.sources)
    if steps > SOURCES:
        raise document.refuse(f"more than {SOURCES} rules in a sequence are not supported")
    if measure == "in_order":
        return _Measured(measure, counting.when(), "gte", steps)
    if isinstance(condition, SigmaCorrelationCondition):
        comparison: Comparison = condition.op.name.lower()  # type: ignore[assignment]
        least = _whole(document, condition.count) + (comparison == "gt")
        if comparison not in {"gte", "gt", "eq"} or not 1 <= least <= steps:
            raise document.refuse("temporal takes how many of its rules must match, with gte")
        return _Measured(measure, counting.which(), "gte", least)
    if condition is not None:
        raise document.refuse("an extended condition is supported for no correlation")
    return _Measured(measure, counting.which(), "gte", steps)


def _percentile(
    document: Document,
    condition: SigmaCorrelationCondition,
    comparison: Comparison,
    limit: int,
    counting: Counting,
) -> _Measured:
    """Return a percentile as the share of the matches that it is about, in whole numbers.

    By nearest rank the p-th percentile is at least x if more than 100 - p percent are.
    """
    percentile = _MEDIAN if condition.percentile is None else condition.percentile
    if comparison not in {"gte", "gt"}:
        raise document.refuse("a percentile is compared with gte or gt")
    name = _number(document, _fields(document, condition))
    least = limit + (comparison == "gt")
    above = counting.narrowed(f"{name}>={least}", field(name).expr >= least)
    share = Share(counting.present(name).series(), 100 - percentile, over_all=False, exceeds=True)
    return _Measured("count", above.series(), "gte", 1, share=share)


def _fields(document: Document, condition: SigmaCorrelationCondition) -> tuple[str, ...]:
    names = condition.fieldref
    found = (names,) if isinstance(names, str) else tuple(names or ())
    if not found:
        raise document.refuse("the condition needs a field")
    return found


def _number(document: Document, names: Sequence[str]) -> str:
    if len(names) != 1 or field(names[0]).kind != "number":
        raise document.refuse(f"{', '.join(names)}: this needs one number field")
    return names[0]


def _whole(document: Document, count: float) -> int:
    if count != int(count):
        raise document.refuse(f"a limit is a whole number, not {count}")
    return int(count)


def _threshold(measured: _Measured, keys: VedetteKeys, override: RuleOverride) -> int:
    if measured.measure == "in_order":
        return (override.threshold or keys.consecutive) if keys.consecutive else measured.threshold
    return override.threshold or measured.threshold


def _consecutive(
    document: Document, measured: _Measured, keys: VedetteKeys, override: RuleOverride
) -> int | None:
    if keys.consecutive is None:
        return None
    if measured.measure != "in_order" or len(measured.series.sources) != 2:  # noqa: PLR2004
        raise document.refuse("vedette.consecutive: needs a temporal_ordered of two rules")
    return override.threshold or keys.consecutive


def _shared_address(
    document: Document, measured: _Measured, keys: VedetteKeys
) -> SharedAddress | None:
    if keys.shared_address is None:
        return None
    if measured.series.kept != "hash" or not measured.series.values_optional:
        raise document.refuse("vedette.shared_address: only counts of events can scale")
    return SharedAddress(keys.shared_address.agents, keys.shared_address.cap)


def _least_matches(document: Document, measured: _Measured, keys: VedetteKeys) -> int:
    if keys.matches is not None and measured.matches is None:
        raise document.refuse("vedette.matches: only averages need so many matches")
    return keys.matches or 1


def _level(name: str) -> Level:
    return Level[name.upper()]


def _digest(data: Mapping[str, object], *more: str) -> str:
    """Return a hash of what is written."""
    text = json.dumps(dict(data), sort_keys=True, default=str)
    return hashlib.sha256("\0".join((text, *more)).encode()).hexdigest()[:16]
