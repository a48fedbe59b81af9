"""Whether a route that looks new is only another value of a segment that varies."""

from bisect import bisect_left
from collections import defaultdict
from typing import Final

import polars as pl

from ingest.declared_paths import DeclaredPaths

#: So many paths beside each other are values of one segment, not endpoints.
SIBLINGS: Final = 10

_Place = tuple[str | None, str | None]


class Neighbours:
    """The endpoints that were there before others: which are beside a route, or part of it."""

    def __init__(self, endpoints: pl.DataFrame) -> None:
        """Take endpoints with service, method, template and since."""
        self._beside: dict[tuple[_Place, str], list[int]] = defaultdict(list)
        self._templates: dict[_Place, list[tuple[int, str]]] = defaultdict(list)
        rows = endpoints.select("since", "service", "method", "template").sort("since").rows()
        for since, service, method, template in rows:
            self._beside[(service, method), _parent(template)].append(since)
            self._templates[service, method].append((since, template))

    def vary(self, service: str | None, method: str | None, template: str, since: int) -> bool:
        """Whether a route that came in a pane is known under other names.

        Either its last segment takes many values, of which this is one more; or it is what they
        are called since somebody learned that they are one.
        """
        place = service, method
        if bisect_left(self._beside[place, _parent(template)], since) >= SIBLINGS:
            return True
        earlier = [known for then, known in self._templates[place] if then < since]
        if "{" not in template or not earlier:
            return False
        matched = DeclaredPaths([template]).match(pl.Series(earlier, dtype=pl.String))
        return matched.null_count() < len(matched)


def _parent(template: str) -> str:
    return template.rpartition("/")[0]
