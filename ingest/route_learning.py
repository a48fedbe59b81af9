"""Learns where a segment of paths varies, so that /users/alice and /users/bob are one route.

Only what was answered 2xx or 3xx teaches, and no client network teaches more than a few values of
one place: whoever makes a server answer paths of their choice can not fold them into one route,
and hide in it, without as many networks as it takes real clients to teach it.
"""

import base64
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import polars as pl
import polars_hash as plh

from ingest.distinct import Distinct
from ingest.masking import mask_series
from ingest.routes import SEGMENT_LIMIT, VARIES

#: A segment varies if it has had more values than this, from more networks than that.
VALUE_LIMIT: Final = 200
NETWORK_LIMIT: Final = 20

#: Values of one place that one network may teach.
SHARE: Final = VALUE_LIMIT // NETWORK_LIMIT

#: What is kept of a place: the networks of least hash, of each the values of least hash. So it
#: does not matter in which order they came.
NETWORKS_KEPT: Final = VALUE_LIMIT + NETWORK_LIMIT

#: Places of which values are counted.
PLACES_KEPT: Final = 100

_ROWS: Final = 1 << 17
_PENDING_LIMIT: Final = 100_000
_STATE_VERSION: Final = 2

#: Integers that JSON readers of every language can hold.
_HASH_BITS: Final = 53
_NO_LIMIT: Final = 1 << _HASH_BITS

_UNREADABLE: Final = "this is no state of learned routes that this version can read"

_SEEN_SCHEMA: Final = pl.Schema({"place": pl.Int64(), "network": pl.Int64(), "value": pl.Int64()})
_PLACE_SCHEMA: Final = pl.Schema(
    {"place": pl.Int64(), "service": pl.String(), "parent": pl.String()}
)


class RouteLearner:
    """Counts the values of each place: a service, and the template before a segment.

    What it proposes depends on the events it was given, not on their order, while there are no
    more places than it may hold. Beyond that it forgets those with the fewest values. Below a
    segment that masking would change it learns nothing.
    """

    def __init__(self, most_places: int = PLACES_KEPT) -> None:
        """Hold up to `most_places` places: 50 KB each when they are full, 40 KB in a checkpoint."""
        self._most_places = most_places
        self._seen = pl.DataFrame(schema=_SEEN_SCHEMA)
        self._places = pl.DataFrame(schema=_PLACE_SCHEMA)
        self._limits = _limits(self._seen)
        self._pending: list[pl.DataFrame] = []
        self._pending_places: list[pl.DataFrame] = []

    def observe(self, events: pl.DataFrame) -> None:
        """Learn from events with service, route, status and client_network."""
        for some in events.iter_slices(_ROWS):
            self._observe(some)

    def _observe(self, events: pl.DataFrame) -> None:
        routes = Distinct.of(events.select("service", "route"))
        found = _values(routes.rows)
        if found.is_empty():
            return
        limits = (
            found.join(self._limits, on="place", how="left")
            .group_by("row")
            .agg(pl.col("limit").fill_null(_NO_LIMIT).max())
        )
        of_route = pl.Series([-1], dtype=pl.Int64).new_from_index(0, routes.rows.height)
        of_route = of_route.scatter(limits["row"], limits["limit"])
        numbers = pl.int_range(routes.rows.height, dtype=pl.UInt32, eager=True)
        rows = events.select(
            pl.col("status").is_between(200, 399).alias("taught"),
            "client_network",
            row=routes.spread(numbers),
            limit=routes.spread(of_route),
        ).filter(
            pl.col("taught")
            & (
                (_hash(plh.col("client_network")) <= pl.col("limit"))
                | (
                    (pl.col("limit") >= 0)
                    & pl.col("client_network").str.contains(":", literal=True)
                )
            )
        )
        pairs = rows.select("row", network=_hash(_coarse("client_network"))).unique()
        pending = pairs.join(found, on="row").select(_SEEN_SCHEMA.names()).unique()
        if pending.is_empty():
            return
        self._pending.append(pending)
        taught = found.select(_PLACE_SCHEMA.names()).unique()
        self._pending_places.append(taught.join(pending, on="place", how="semi"))
        if sum(frame.height for frame in self._pending) > _PENDING_LIMIT:
            self._merge()

    def proposals(self) -> list[str]:
        """Return templates for RouteTemplates, as "shop /users/{id}", sorted."""
        self._merge()
        # More values than that many networks may teach need more networks.
        counted = self._seen.group_by("place").agg(pl.col("value").n_unique().alias("values"))
        varying = counted.filter(pl.col("values") > VALUE_LIMIT)
        named = self._places.join(varying, on="place", how="semi")
        return sorted(
            f"{parent}{VARIES}" if service is None else f"{service} {parent}{VARIES}"
            for service, parent in named.select("service", "parent").rows()
        )

    def state(self) -> dict[str, Any]:
        """Return all that was learned as plain JSON, to give to `restore`."""
        self._merge()
        return {
            "version": _STATE_VERSION,
            "places": [list(row) for row in self._places.sort("place").rows()],
            "seen": _packed(self._seen.sort(_SEEN_SCHEMA.names())),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of this or an earlier process. Raises ValueError for any other."""
        if state.get("version") != _STATE_VERSION:
            raise ValueError(_UNREADABLE)
        try:
            seen = _unpacked(state["seen"])
            places = pl.DataFrame(state["places"], schema=_PLACE_SCHEMA, orient="row")
        except (KeyError, TypeError, ValueError, zlib.error, pl.exceptions.PolarsError) as error:
            raise ValueError(_UNREADABLE) from error
        self._seen, self._places = seen, places
        self._pending, self._pending_places = [], []
        self._limits = _limits(self._seen)

    def _merge(self) -> None:
        if not self._pending:
            return
        seen = pl.concat([self._seen, *self._pending]).unique()
        of_network = pl.col("value").rank("ordinal").over("place", "network")
        seen = seen.filter(of_network <= SHARE)
        of_place = pl.col("network").rank("dense").over("place")
        seen = seen.filter(of_place <= NETWORKS_KEPT)
        fresh = pl.concat(self._pending_places).unique().join(self._places, on="place", how="anti")
        # What is kept reaches a disk; and where a secret or a name stands, a path varies already.
        fresh = fresh.filter(mask_series(fresh["parent"]) == fresh["parent"])
        places = pl.concat([self._places, fresh])
        seen = seen.join(places, on="place", how="semi")
        if places.height > self._most_places:
            values = seen.group_by("place").agg(pl.col("value").n_unique().alias("values"))
            order = values.sort("values", "place", descending=[True, False])
            kept = order.head(self._most_places)
            places = places.join(kept, on="place", how="semi")
            seen = seen.join(kept, on="place", how="semi")
        self._seen, self._places = seen, places
        self._pending, self._pending_places = [], []
        self._limits = _limits(seen)


def without_places(state: dict[str, Any], named: Callable[[str], bool]) -> dict[str, Any]:
    """Return what `RouteLearner.state` returned without the places of which a text is so named."""
    if state.get("version") != _STATE_VERSION:
        return state
    places = [
        row for row in state["places"] if not any(isinstance(t, str) and named(t) for t in row)
    ]
    return {**state, "places": places}


def _packed(seen: pl.DataFrame) -> str:
    """Return rows of _SEEN_SCHEMA as text for JSON; several times as short as their digits."""
    columns = np.stack([seen[name].to_numpy() for name in _SEEN_SCHEMA])
    return base64.b64encode(zlib.compress(columns.astype("<i8").tobytes(), level=1)).decode()


def _unpacked(text: str) -> pl.DataFrame:
    """Undo `_packed`. Raises ValueError, TypeError or zlib.error for another text."""
    numbers = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype="<i8")
    columns = numbers.reshape(len(_SEEN_SCHEMA), -1)
    return pl.DataFrame(dict(zip(_SEEN_SCHEMA, columns, strict=True)), schema=_SEEN_SCHEMA)


def _limits(seen: pl.DataFrame) -> pl.DataFrame:
    """Return the greatest hash of a network that matters, for places that are full of networks."""
    counted = seen.group_by("place").agg(
        pl.col("network").n_unique().alias("networks"), pl.col("network").max().alias("limit")
    )
    return counted.filter(pl.col("networks") >= NETWORKS_KEPT).select("place", "limit")


def _values(routes: pl.DataFrame) -> pl.DataFrame:
    """Return for each route its segments that could vary: row, place, service, parent, value."""
    service = pl.col("service")
    plain = pl.coalesce(pl.col("route").str.strip_prefix(service + " "), "route")
    templates = routes.with_row_index("row").select(
        "row", "service", template=plain.str.extract(r"(?s)^[^ ]* (/.*)$")
    )
    templates = templates.filter(
        pl.col("template").is_not_null()
        & ~service.str.contains(" /", literal=True).fill_null(value=False)
    )
    segments = [templates.select("row", "service", parent="template", segment="template").clear()]
    depths = pl.col("template").str.count_matches("/", literal=True)
    deepest = int(templates.select(depths.max().fill_null(0)).item())
    for depth in range(min(deepest, SEGMENT_LIMIT)):
        parts = pl.col("template").str.extract_groups(rf"^((?:/[^/]*){{{depth}}})/([^/{{][^/]*)")
        segments.append(
            templates.select(
                "row", "service", parent=parts.struct.field("1"), segment=parts.struct.field("2")
            ).drop_nulls("segment")
        )
    place = plh.concat_str(service.fill_null("/"), pl.col("parent"), separator=" ")
    return pl.concat(segments).select(
        "row", "service", "parent", place=_hash(place), value=_hash(plh.col("segment"))
    )


def _coarse(name: str) -> plh.HExpr:
    """Return the /24, or the /48 of an IPv6 network: who has one /64 often has 65,536 of them."""
    six = pl.col(name).str.extract(r"^([0-9a-f]*:[0-9a-f]*:[0-9a-f]*)").str.replace(":0$", ":")
    return plh.concat_str(pl.coalesce(six, name))


def _hash(text: plh.HExpr) -> pl.Expr:
    hashed: pl.Expr = text.nchash.xxh3_64()
    return (hashed // (1 << (64 - _HASH_BITS))).cast(pl.Int64)
