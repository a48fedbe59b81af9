"""Series: what is counted, for whom. Rules that count the same share one series."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

import polars as pl

from detectors.overrides import RuleException

#: What is kept of a match besides its count. `hash`: the columns' values as one 64-bit hash;
#: `number`: the value itself; `rule`: which of the sources matched; `time`: that, and when.
Kept = Literal["nothing", "hash", "number", "rule", "time"]

#: A kept time is microseconds, then in its lower bits which source matched, then a few bits of
#: the record's position, so that matches at one time (many logs tell seconds) stay apart.
TIME_SHIFT: Final = 12
SOURCE_SHIFT: Final = 8
SOURCES: Final = 2 ** (TIME_SHIFT - SOURCE_SHIFT)


@dataclass(frozen=True, slots=True)
class Part:
    """A plain rule: which events it accepts.

    `expr` is Boolean without nulls over BATCH_SCHEMA. Two parts of one name and signature accept
    the same events. `conditions` are what pySigma made of the rule's text: one of them must hold,
    and `also` what was added to them. A part of `both` accepts what those two accept.
    """

    name: str
    signature: str
    expr: pl.Expr = field(repr=False, compare=False)
    conditions: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    also: pl.Expr | None = field(default=None, repr=False, compare=False)
    both: "tuple[Part, Part] | None" = None

    @classmethod
    def of_both(cls, one: "Part", other: "Part") -> "Part":
        """Return the part that accepts what two parts accept."""
        name, signature = f"{one.name} and {other.name}", f"{one.signature} {other.signature}"
        return cls(name, signature, one.expr & other.expr, one.conditions, both=(one, other))


@dataclass(frozen=True, slots=True)
class Source:
    """A part, and the event columns by which its matches are counted apart.

    The first of `keys` names the entity, unless the series is about all traffic.
    """

    part: Part
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One stream of counts: matches of `sources`, kept apart by their keys, over `window`.

    An event that several sources with the same keys accept counts once. Events without a value to
    keep do not count, unless `values_optional`. `weight` is a number
    field that is summed; without it a match counts 1. `members`: names of the clients that match
    are kept. `windowless` series also take events whose time was moved by more than a minute,
    `edge` ones only events seen where clients arrive.
    """

    sources: tuple[Source, ...]
    window: timedelta
    watches_all: bool = False
    kept: Kept = "nothing"
    values: tuple[str, ...] = ()
    values_optional: bool = False
    weight: str | None = None
    members: bool = False
    windowless: bool = False
    edge: bool = False
    exceptions: tuple[RuleException, ...] = ()

    @property
    def entity(self) -> str | None:
        """The column that names the entity; None for all traffic."""
        return None if self.watches_all else self.sources[0].keys[0]

    @property
    def group(self) -> tuple[str, ...]:
        """The columns that keep an entity's counts apart."""
        keys = self.sources[0].keys
        return keys if self.watches_all else keys[1:]

    @property
    def judged_by_values(self) -> bool:
        """Whether the distinct values of a key say how suspect it is, not its matches."""
        return self.kept != "nothing" and not self.values_optional

    @property
    def signature(self) -> str:
        """A hash of all that decides what is counted."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]
