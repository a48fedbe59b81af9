"""The services whose endpoints are known: for how long, and whether documents speak of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Final

import polars as pl

from detectors.learned.inventory.state import SERVICE_SCHEMA

#: Services that are watched at once; beyond, those that were quiet longest are forgotten.
SERVICE_CAP: Final = 1_000


@dataclass
class Service:
    """What SERVICE_SCHEMA says of one."""

    since: int
    last_day: int
    days: int = 0
    covered: int | None = None
    evicted: int = 0

    def days_before(self, day: int) -> int:
        """Return on how many days before this one it had answers."""
        return self.days - (self.last_day == day)


class Services:
    """All of them, by name; None is where a log names none."""

    def __init__(self, cap: int = SERVICE_CAP) -> None:
        self._cap = cap
        self._known: dict[str | None, Service] = {}
        self._frame: pl.DataFrame | None = None
        self.forgotten = 0

    def __iter__(self) -> Iterator[tuple[str | None, Service]]:
        return iter(self._known.items())

    @property
    def room(self) -> int:
        """How many more there may be before some are forgotten."""
        return self._cap - len(self._known)

    def get(self, name: str | None) -> Service | None:
        """Return what is known of one."""
        return self._known.get(name)

    def ready(self, name: str | None, day: int, days: int) -> bool:
        """Whether so many days were seen of it before this one, and nothing was forgotten."""
        found = self._known.get(name)
        return found is not None and not found.evicted and found.days_before(day) >= days

    def any_ready(self, days: int) -> bool:
        """Whether any is known for so many days, or nearly."""
        return any(service.days >= days for service in self._known.values())

    def seen(self, rows: pl.DataFrame, day: int) -> None:
        """Take up the services of rows of one day that were answered (service, pane)."""
        for name, pane in rows.group_by("service").agg(pl.col("pane").min()).rows():
            found = self._known.setdefault(name, Service(since=pane, last_day=-1))
            if found.last_day < day:
                found.last_day, found.days = day, found.days + 1
                self._frame = None

    def cover(self, rows: pl.DataFrame) -> None:
        """Note from which pane on documents are known to speak of services (service, pane)."""
        for name, pane in rows.group_by("service").agg(pl.col("pane").min()).rows():
            found = self._known.get(name)
            if found is not None and found.covered is None:
                found.covered = pane
                self._frame = None

    def evicted(self, names: Iterable[str | None]) -> None:
        """Note that endpoints of these were forgotten."""
        for name in names:
            if (found := self._known.get(name)) is not None:
                found.evicted += 1
                self._frame = None

    def forget(self) -> None:
        """Forget what is beyond the cap: what was quiet longest, then by name."""
        beyond = len(self._known) - self._cap
        if beyond > 0:
            self.forgotten += beyond
            ranked = sorted(self._known, key=lambda name: (self._known[name].last_day, name or ""))
            for name in ranked[:beyond]:
                del self._known[name]
            self._frame = None

    def part(self) -> pl.DataFrame:
        """Return the state as a frame, the same one while nothing changed."""
        if self._frame is None:
            rows = [(name, *astuple(service)) for name, service in self._known.items()]
            self._frame = pl.DataFrame(rows, SERVICE_SCHEMA, orient="row")
        return self._frame

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `part` returned."""
        self._frame = parts["services"]
        self._known = {
            name: Service(*rest)
            for name, *rest in self._frame.select(SERVICE_SCHEMA.names()).rows()
        }
