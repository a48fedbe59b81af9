"""The detectors `user_first_seen` and `api_key_first_seen`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Final

import polars as pl

from detectors.detector import Detector, active
from detectors.exhibits import masked_evidence
from detectors.findings import EntityType, Finding, Level
from detectors.learned.family import Learning
from detectors.learned.seen.agents import AgentNames
from detectors.learned.seen.memory import (
    ENTITY_CAP,
    ENTITY_SCHEMA,
    VALUE_CAP,
    VALUE_SCHEMA,
    Memory,
    Recall,
)
from detectors.learned.seen.news import (
    RECENT_SCHEMA,
    REFUSAL_SCHEMA,
    REFUSED,
    WINDOW_US,
    Item,
    Lately,
)
from detectors.learned.seen.settings import SeenSettings
from detectors.learned.seen.sightings import (
    ACCEPTED,
    KINDS,
    SIGHTING_SCHEMA,
    added,
    no_sightings,
    sightings,
)
from detectors.learned.slots import DAY_US, SLOT_CAP, SLOT_US, Waiting, shown_events
from detectors.overrides import RuleOverride
from ingest.times import moment

VERSION: Final = 1

_END: Final = 2**62
_WINDOW: Final = timedelta(microseconds=WINDOW_US)
_TAGS: Final = ("attack.credential-access", "attack.initial-access", "attack.t1078", "owasp.api2")

USER_FIRST_SEEN: Final = Detector(
    name="user_first_seen",
    id="0b1a1c1e-7c63-5a0e-9a53-3a2f6f1f5d11",
    title="A user as never seen before",
    description=(
        "A user whose habits are known comes from a new country or network or with a new program;"
        " all at once, or after refused requests, it may be somebody else."
    ),
    level=Level.LOW,
    tags=_TAGS,
    falsepositives=("Somebody who travels, changes the internet provider or buys a new telephone",),
    unit="new of country, network, user agent",
    threshold=1,
    window=_WINDOW,
    entity_type="user",
)

API_KEY_FIRST_SEEN: Final = Detector(
    name="api_key_first_seen",
    id="5d6a2b0c-41f9-5b7e-8c7b-0e9f3f6a7c22",
    title="An API key as never seen before",
    description=(
        "An API key whose use is known is used from a new country or network or by a new program;"
        " all at once, or after refused requests, it may have been stolen."
    ),
    level=Level.LOW,
    tags=_TAGS,
    falsepositives=("A program that moved to another hoster or was written anew",),
    unit="new of country, network, user agent",
    threshold=1,
    window=_WINDOW,
    entity_type="api_key",
)

DETECTORS: Final = (USER_FIRST_SEEN, API_KEY_FIRST_SEEN)

_STATE_SCHEMA: Final = pl.Schema(
    {"version": pl.Int64(), "evicted": pl.Int64(), "closed": pl.Int64()}
)
_WORDS: Final = {"country": "country", "network": "network", "agent": "user agent"}
_SHOWN_KNOWN: Final = 3


class Seen:
    """First-seen and rare countries, networks and user agents per user and API key.

    With countries that come with Vedette, which are those of registers, all is in monitor mode.
    `overrides` are the settings of its detectors; those of others are passed over. Raises
    DetectorSettingsError.
    """

    name: Final = "seen"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: SeenSettings | None = None,
        *,
        country_is_bundled: bool = False,
        entity_cap: int = ENTITY_CAP,
        value_cap: int = VALUE_CAP,
        slot_cap: int = SLOT_CAP,
    ) -> None:
        found = active(DETECTORS, overrides or {})
        if country_is_bundled:
            found = {name: replace(each, mode="monitor") for name, each in found.items()}
        self.detectors: Mapping[str, Detector] = found
        self.settings = settings or SeenSettings()
        self._by_type = {each.entity_type: each for each in self.detectors.values()}
        self._watched: tuple[EntityType, ...] = tuple(self._by_type)
        recall = Recall(**self.settings.model_dump())
        self._memory = Memory(recall, entity_cap=entity_cap, value_cap=value_cap)
        self._lately = Lately()
        self._names = AgentNames()
        self._waiting = Waiting(added, no_sightings(), ACCEPTED, KINDS, slot_cap)
        self._closed = -_END
        self._state = pl.DataFrame([(0, 0, 0)], schema=_STATE_SCHEMA, orient="row")

    @property
    def evicted(self) -> int:
        """How many users and keys, and sightings of a slot, were dropped: there are too many."""
        return self._memory.evicted + self._waiting.dropped

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the sightings (SIGHTING_SCHEMA) of a batch."""
        return sightings(events, self._watched, self._names)

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Add sightings; close the panes that end before the watermark (us)."""
        self._waiting.add(sums)
        if watermark is None:
            return []
        return self._close(watermark // SLOT_US * SLOT_US)

    def finish(self) -> list[Finding]:
        """Close all panes."""
        return self._close(_END)

    def status(self) -> list[Learning]:
        """Say of each type of entity how many are known well enough to be judged."""
        return [self._learning(each) for each in self.detectors.values()]

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state; `entities` and `values` change when somebody is new, or a day."""
        told = (VERSION, self.evicted, self._closed)
        if self._state.row(0) != told:
            self._state = pl.DataFrame([told], schema=_STATE_SCHEMA, orient="row")
        return {
            "entities": self._memory.entities,
            "values": self._memory.values,
            "recent": self._lately.recent,
            "refusals": self._lately.refusals,
            "open": self._waiting.frame(),
            "state": self._state,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state; of another version or of none, all detectors begin anew."""
        schemas = {
            "entities": ENTITY_SCHEMA,
            "values": VALUE_SCHEMA,
            "recent": RECENT_SCHEMA,
            "refusals": REFUSAL_SCHEMA,
            "open": SIGHTING_SCHEMA,
            "state": _STATE_SCHEMA,
        }
        same = all(name in parts and parts[name].schema == s for name, s in schemas.items())
        if not same or parts["state"]["version"].to_list() != [VERSION]:
            return list(self.detectors)
        self._memory.entities, self._memory.values = parts["entities"], parts["values"]
        self._lately.recent, self._lately.refusals = parts["recent"], parts["refusals"]
        self._waiting.restore(parts["open"])
        _, self._memory.evicted, self._closed = parts["state"].row(0)
        return []

    def _close(self, until: int) -> list[Finding]:
        """Judge and learn all panes that begin before a time (us)."""
        if until <= self._closed:
            return []
        self._closed = until if until < _END else self._closed
        closed = self._waiting.due(until)
        days = closed.group_by(pl.col("pane") // DAY_US, maintain_order=True)
        return list(chain.from_iterable(self._day(seen) for _, seen in days))

    def _day(self, seen: pl.DataFrame) -> Iterator[Finding]:
        if self._memory.fits(seen):
            yield from self._take(seen)
            return
        for _, pane in seen.group_by("pane", maintain_order=True):
            yield from self._take(pane)
            self._memory.evict()

    def _take(self, seen: pl.DataFrame) -> Iterator[Finding]:
        self._lately.refuse(seen, self._memory.entities)
        news = self._memory.take(seen)
        items = list(self._lately.items(news))
        self._lately.forget(int(seen["pane"][-1]))
        for item in items:
            rows = seen[list(item.rows)]
            detector = self._by_type[rows["type"][0]]
            if len(item.values) >= detector.threshold and not detector.excepts(
                rows["entity"][0],
                int(rows["first"].min()),  # type: ignore[arg-type]
            ):
                yield self._finding(detector, item, rows)

    def _finding(self, detector: Detector, item: Item, rows: pl.DataFrame) -> Finding:
        return Finding(
            detector=detector.name,
            entity_type=detector.entity_type,
            entity=rows["entity"][0],
            first=moment(rows["first"].min()),  # type: ignore[arg-type]
            last=moment(rows["last"].max()),  # type: ignore[arg-type]
            value=len(item.values),
            threshold=detector.threshold,
            unit=detector.unit,
            window=detector.window,
            level=self._level(detector, item),
            mode=detector.mode,
            tags=detector.tags,
            evidence=masked_evidence(shown_events(rows)),
            reached=moment(item.pane + SLOT_US),
            note=self._note(item),
        )

    def _level(self, detector: Detector, item: Item) -> Level:
        """Return one level more for all kinds at once, and one more after refusals."""
        has_networks = bool(self._known(item, "network")) or "network" in item.values
        kinds = 3 if has_networks else 2
        more = (len(item.values) >= kinds) + (item.refused >= REFUSED)
        return Level(min(detector.level + more, max(detector.level, Level.HIGH)))

    def _known(self, item: Item, kind: str) -> list[str]:
        return self._memory.known(item.key, kind, item.pane // DAY_US)

    def _note(self, item: Item) -> str:
        told = []
        for kind, value in item.values.items():
            known = [each for each in self._known(item, kind) if each != value]
            usual = ", ".join(known[:_SHOWN_KNOWN]) + (", ..." if len(known) > _SHOWN_KNOWN else "")
            seen = f"{_WORDS[kind]} {value}, before {usual or 'none'}"
            if kind in item.before:
                ago = item.pane // DAY_US - item.before[kind]
                seen += f" (and {value} on one day, {ago} days ago)"
            told.append(seen)
        note = "; ".join(told)
        if item.refused >= REFUSED:
            note += f"; {item.refused} requests refused within the hour"
        return note[:1].upper() + note[1:]

    def _learning(self, detector: Detector) -> Learning:
        entities = self._memory.entities
        mine = entities.filter(pl.col("type") == detector.entity_type)
        since = mine["since"].min()
        return Learning(
            detector=detector.name,
            entity_type=detector.entity_type,
            entity="all",
            since=moment(since * DAY_US) if isinstance(since, int) else None,
            days=min(max(mine["days"].to_list(), default=0), self.settings.learning_days),
            of_days=self.settings.learning_days,
            series=mine.height,
        )
