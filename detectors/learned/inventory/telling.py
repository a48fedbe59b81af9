"""How often something is told: once an endpoint and week, and not too much a day."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from detectors.learned.inventory.state import BUDGET_SCHEMA, TOLD_SCHEMA

#: Endpoints of one service that a detector tells of in a day; the others have their turn later.
A_DAY: Final = 20


class Told:
    """What was told when, so that what is still there is not told again every time it is used."""

    def __init__(self, again: int, panes_a_day: int) -> None:
        """`again` is after how many panes something may be told again."""
        self._again = again
        self._panes_a_day = panes_a_day
        self._told: dict[tuple[str, str], int] = {}
        self._budgets: dict[tuple[str, str | None], tuple[int, int]] = {}
        self._frames: dict[str, pl.DataFrame] | None = None

    def claim(self, detector: str, entity: str, service: str | None, pane: int) -> bool:
        """Return whether it may be told now; then it is. To be asked in order of panes."""
        last = self._told.get((detector, entity))
        if last is not None and pane < last + self._again:
            return False
        day = pane // self._panes_a_day
        then, count = self._budgets.get((detector, service), (day, 0))
        if then == day and count >= A_DAY:
            return False
        self._told[detector, entity] = pane
        self._budgets[detector, service] = (day, count + 1 if then == day else 1)
        self._frames = None
        return True

    def forget(self, pane: int) -> None:
        """Forget what may be told again by now."""
        old = [key for key, last in self._told.items() if last + self._again <= pane]
        day = pane // self._panes_a_day
        spent = [key for key, (then, _) in self._budgets.items() if then < day]
        for key in old:
            del self._told[key]
        for service in spent:
            del self._budgets[service]
        if old or spent:
            self._frames = None

    def parts(self) -> Mapping[str, pl.DataFrame]:
        """Return the state as frames, the same ones while nothing was told."""
        if self._frames is None:
            told = [(*key, pane) for key, pane in sorted(self._told.items())]
            budgets = [(*key, *spent) for key, spent in self._budgets.items()]
            self._frames = {
                "told": pl.DataFrame(told, TOLD_SCHEMA, orient="row"),
                "budgets": pl.DataFrame(budgets, BUDGET_SCHEMA, orient="row"),
            }
        return self._frames

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> None:
        """Take over what `parts` returned."""
        told, budgets = parts["told"], parts["budgets"]
        self._told = {(d, e): pane for d, e, pane in told.select(TOLD_SCHEMA.names()).rows()}
        self._budgets = {
            (d, s): (day, count)
            for d, s, day, count in budgets.select(BUDGET_SCHEMA.names()).rows()
        }
        self._frames = {"told": told, "budgets": budgets}
