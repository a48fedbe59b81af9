"""What a rule counts: the series behind its measure, its share, its outliers, its raised level."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from detectors.fields import ENTITY_TYPES, field
from detectors.findings import EntityType
from detectors.overrides import RuleException
from detectors.rules import Measure, Outlier
from detectors.series import Part, Series, Source

#: What tells the programs behind one address apart.
_AGENT = ("user_agent",)


@dataclass(frozen=True, slots=True)
class Counting:
    """For whom a rule counts: its sources, of which the first key is the watched entity.

    Without an entity among the keys the rule is about all traffic.
    """

    sources: tuple[Source, ...]
    window: timedelta
    exceptions: tuple[RuleException, ...] = ()
    windowless: bool = False

    @property
    def _watched(self) -> str | None:
        keys = self.sources[0].keys
        return keys[0] if keys and keys[0] in ENTITY_TYPES else None

    @property
    def entity_type(self) -> EntityType:
        """The type of entity that the rule watches."""
        return "all" if self._watched is None else ENTITY_TYPES[self._watched]

    def series(self, *, clients: bool = False) -> Series:
        """Return the series that counts the matches.

        Clients, and what counts `clients`, are judged where they arrive, so that a request seen
        at the gateway and again in a service behind it counts once.
        """
        return Series(
            self.sources,
            self.window,
            watches_all=self._watched is None,
            windowless=self.windowless,
            edge=clients or self.entity_type in {"client", "network"},
            exceptions=self.exceptions,
        )

    def distinct(self, values: tuple[str, ...]) -> Series:
        """Return the series that keeps the distinct values of columns."""
        clients = values == ("client_ip",) and self.entity_type != "client"
        return replace(self.series(clients=clients), kept="hash", values=values, members=clients)

    def numbers(self, name: str) -> Series:
        """Return the series that keeps the distinct values of a number field, themselves."""
        return replace(self.series(), kept="number", values=(name,))

    def programs(self) -> Series:
        """Return the series that counts matches and keeps the user agents they come from."""
        return replace(self.series(), kept="hash", values=_AGENT, values_optional=True)

    def which(self) -> Series:
        """Return the series that keeps which of the sources matched."""
        return replace(self.series(), kept="rule")

    def when(self) -> Series:
        """Return the series that keeps which of the sources matched at what time."""
        return replace(self.series(), kept="time")

    def total(self, name: str) -> Series:
        """Return the series that sums a number field."""
        return replace(self.series(), weight=name)

    def present(self, name: str) -> "Counting":
        """Return the same for the matches that have the number field."""
        return self.narrowed(f"{name}|exists", field(name).expr.is_not_null())

    def narrowed(self, name: str, also: pl.Expr) -> "Counting":
        """Return the same for the matches of which `also` (Boolean) is true too."""
        sources = tuple(
            Source(_both(source.part, name, also), source.keys) for source in self.sources
        )
        return replace(self, sources=sources)

    def meeting(self, part: Part) -> "Counting":
        """Return the same for the matches that are matches of another part too."""
        sources = (Source(Part.of_both(each.part, part), each.keys) for each in self.sources)
        return replace(self, sources=tuple(sources))

    def of(self, part: Part, *, over_all: bool = False) -> "Counting":
        """Return the same for another part, for the same entities or over all traffic."""
        keys = () if over_all else self.sources[0].keys
        return replace(self, sources=(Source(part, keys),))

    def outlier(self, factor: int, measure: Measure, values: Sequence[str]) -> Outlier:
        """Return what the entities of each group have together, and how many they are.

        Of a rule that counts for these sources, or for others with the same keys.
        """
        entity = self.sources[0].keys[0]
        group = self.series().group
        everybody = replace(
            self.series(),
            sources=tuple(Source(source.part, group) for source in self.sources),
            watches_all=True,
        )
        peers = replace(everybody, kept="hash", values=(entity,))
        if measure in {"distinct", "neighbours"}:
            everything = replace(everybody, kept="hash", values=(entity, *values))
        elif measure == "count":
            everything = everybody
        else:
            everything = replace(everybody, weight=values[0])
        return Outlier(factor, everything, everybody if measure == "average" else peers)


def _both(part: Part, name: str, also: pl.Expr) -> Part:
    also = also.fill_null(value=False)
    return Part(
        f"{part.name} and {name}",
        part.signature,
        part.expr & also,
        part.conditions,
        also if part.also is None else part.also & also,
    )
