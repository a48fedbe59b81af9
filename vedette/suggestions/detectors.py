"""Precision of each detector by what people decided, and a limit that spares false alarms."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.lists.decided import Decided
from detectors.catalogue import Catalogue
from detectors.findings import Finding
from detectors.rules import Rule

#: False alarms of a detector that are needed before anything is suggested.
LEAST = 2


@dataclass(frozen=True, slots=True)
class Scored:
    """How often a detector was right, and what another limit would have done.

    `attacks` and `harmless` are incidents in which it has a part. `spared` are false alarms that
    nobody would have been told of with the limit `proposed`, `lost` attacks, `unknown` incidents
    that nobody judged. Without a proposal all three are empty.
    """

    detector: str
    attacks: tuple[Decided, ...] = field(repr=False)
    harmless: tuple[Decided, ...] = field(repr=False)
    limit: int | None
    proposed: int | None = None
    spared: tuple[Decided, ...] = ()
    lost: tuple[Decided, ...] = ()
    unknown: tuple[Decided, ...] = ()

    @property
    def precision(self) -> float:
        """The share of attacks among the incidents that people judged."""
        return len(self.attacks) / (len(self.attacks) + len(self.harmless))


def scored(
    incidents: Sequence[Decided],
    catalogue: Catalogue,
    *,
    lose: int = 0,
    least: int = LEAST,
    excepted: Collection[int] = (),
) -> list[Scored]:
    """Return every detector that people judged, the least precise first.

    A limit is proposed for rules that made `least` false alarms or more which it would spare, at
    the price of `lose` attacks at most. False alarms that are `excepted` already (by number) do not
    count for that.
    """
    rules = {rule.name: rule for rule in catalogue.rules}
    names = sorted({f.detector for each in incidents if each.resolution for f in each.findings})
    found = [
        _scored(name, rules.get(name), incidents, lose=lose, least=least, excepted=excepted)
        for name in names
    ]
    return sorted(found, key=lambda each: (each.precision, -len(each.harmless), each.detector))


def _scored(
    name: str,
    rule: Rule | None,
    incidents: Sequence[Decided],
    *,
    lose: int,
    least: int,
    excepted: Collection[int],
) -> Scored:
    mine = [each for each in incidents if any(f.detector == name for f in each.findings)]
    attacks = tuple(each for each in mine if each.attack)
    harmless = tuple(each for each in mine if each.harmless)
    plain = Scored(name, attacks, harmless, None if rule is None else rule.threshold)
    if rule is None or rule.measure in {"in_order", "all_of"}:
        return plain
    if rule.comparison not in {"gte", "gt"}:
        return plain
    heights = {each.id: height for each in mine if (height := _height(each, rule)) is not None}
    left = [each for each in harmless if each.id in heights and each.id not in excepted]
    limit = _limit(rule, left, [each for each in attacks if each.id in heights], heights, lose)
    if limit is None:
        return plain

    def silent(some: Sequence[Decided]) -> Iterator[Decided]:
        return (each for each in some if each.id in heights and heights[each.id] < limit)

    spared = tuple(silent(left))
    if len(spared) < least:
        return plain
    unknown = tuple(silent([each for each in mine if each.resolution is None]))
    return Scored(
        name, attacks, harmless, rule.threshold, limit, spared, tuple(silent(attacks)), unknown
    )


def _limit(
    rule: Rule,
    harmless: Sequence[Decided],
    attacks: Sequence[Decided],
    heights: Mapping[int, int],
    lose: int,
) -> int | None:
    """Return the lowest limit that spares as many as can be, None if it spares none."""
    attacked = sorted(heights[each.id] for each in attacks)
    bound = attacked[lose] if lose < len(attacked) else None
    below = [h for each in harmless if (h := heights[each.id]) < (bound or h + 1)]
    return max(below) + 1 if below and max(below) >= rule.threshold else None


def _height(incident: Decided, rule: Rule) -> int | None:
    """Return the limit up to which people are told of an incident, None if others tell of it.

    A shared address or a tier has a higher limit than the rule's own: its values count so much
    less.
    """
    alerting = [finding for finding in incident.findings if finding.mode == "alert"]
    if not alerting or any(finding.detector != rule.name for finding in alerting):
        return None
    return max(_plain(finding, rule) for finding in alerting)


def _plain(finding: Finding, rule: Rule) -> int:
    value, grown = finding.value, max(finding.threshold, rule.threshold)
    if rule.comparison == "gt":  # nobody is told of what comes to the limit and not above it
        return -(-value * rule.threshold // grown) - 1
    return value * rule.threshold // grown
