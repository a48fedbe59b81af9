"""The heavy half: answers, bytes, durations, routes and countries of a batch, counted."""

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US

#: What is counted: ANSWERS by class of status, of which `bucket` is the number; BYTES; DURATIONS by
#: `bucket` of their length; routes and countries of an hour by whether they were errors (1) or not.
ANSWERS, BYTES, DURATIONS, ROUTES, COUNTRIES = range(5)

#: Classes of answers: those below 400 and without a status, other 4xx, 401 and 403, 5xx.
FINE, CLIENT, REFUSED, SERVER = range(4)

#: Durations (us) are told apart by their octave and the quarter of it that they are in.
BUCKETS: Final = 41 * 4
_BITS: Final = 21
_LEAST: Final = 127 << 2

#: Bytes of one answer that are counted at most: sums of floats are exact below 2^53.
_MOST_BYTES: Final = 1 << 32

#: Names of countries: two letters each, those that nobody has been given, too.
COUNTRIES_KNOWN: Final = [a + b for a in ascii_uppercase for b in ascii_uppercase]
_COUNTRY: Final = pl.Enum(COUNTRIES_KNOWN)

_STATUSES: Final = 600
_CLASSES: Final = 4

#: More cells than this for each event, and they are sorted instead of laid out.
_SPARSE: Final = 4
_ROOM: Final = 100_000


class TrafficSums(NamedTuple):
    """What a batch adds. `names` are service (None: the log names none) and route or country.

    A row of `rows` is: measure, place among `names`, start of the slot (us since 1970; of routes
    and countries an hour, else a minute), bucket, role (1: edge), count. Rows that agree in all
    but the count add up.
    """

    names: Sequence[tuple[str | None, str]]
    rows: Ints


def _classes() -> Ints:
    found = np.full(_STATUSES + 1, FINE, np.int64)
    found[400:500] = CLIENT
    found[[401, 403]] = REFUSED
    found[500:600] = SERVER
    return found


_CLASS: Final = _classes()


def sums_of(events: pl.DataFrame) -> list[TrafficSums]:
    """Return what a batch (BATCH_SCHEMA) adds, by effective time; touches no state."""
    edge = events["edge"]
    if edge.all() or not edge.any():
        parts = [events]
    else:
        parts = [events.filter(edge), events.filter(~edge)]
    return [_sums_of(part) for part in parts if part.height]


def middle(buckets: pl.Expr) -> pl.Expr:
    """Return the middle of buckets of durations, in us: at most an eighth off."""
    width = pl.lit(2.0).pow(buckets // 4) / 4
    return (width * (4.5 + buckets % 4)).round().cast(pl.Int64)


def _sums_of(events: pl.DataFrame) -> TrafficSums:
    """Count a batch of which all was seen at the edge, or all behind it."""
    route, known = _routes(events)
    minute = events["effective_time"].to_physical().to_numpy() // MINUTE_US
    begin = int(minute.min())
    minute -= begin
    minutes = int(minute.max()) + 1
    answer = _CLASS[_filled(events["status"]).clip(0, _STATUSES)]
    slot = route * minutes + minute
    cells, counts = _counted(slot * _CLASSES + answer)
    place, start, bucket = _split(cells, minutes, _CLASSES)
    start = (start + begin) * MINUTE_US
    services = {name: at for at, name in enumerate(dict.fromkeys(name for name, _ in known))}
    service_of = np.array([services[name] for name, _ in known], np.int64)
    names: list[tuple[str | None, str]] = [(name, "") for name in services]
    found = [_rows(ANSWERS, service_of[place], start, bucket, counts)]
    routed = np.array([bool(name) for _, name in known])[place]
    hour = start // HOUR_US * HOUR_US
    of_routes = _rows(ROUTES, place + len(names), hour, bucket != FINE, counts)
    found.append(of_routes[routed])
    names += known

    sizes = events["response_bytes"]
    cells, counts = _added(*_given(slot, sizes))
    place, start, _ = _split(cells, minutes, 1)
    found.append(_rows(BYTES, service_of[place], (start + begin) * MINUTE_US, 0, counts))

    service = service_of[route] if len(services) > 1 else np.zeros(1, np.int64)
    cells, counts = _lengths(service * minutes + minute, events["duration_us"])
    place, start, bucket = _split(cells, minutes, BUCKETS)
    found.append(_rows(DURATIONS, place, (start + begin) * MINUTE_US, bucket, counts))

    place, start, bucket, counts = _countries(
        events["country"], service, minute, begin, answer != FINE
    )
    there, place = np.unique(place, return_inverse=True)
    found.append(_rows(COUNTRIES, place + len(names), start, bucket, counts))
    width = len(COUNTRIES_KNOWN)
    of = list(services)
    names += [(of[at // width], COUNTRIES_KNOWN[at % width]) for at in there.tolist()]
    rows = np.concatenate(found)
    rows[:, 4] = bool(events["edge"][0])
    return TrafficSums(names, rows)


def _countries(
    country: pl.Series, service: Ints, minute: Ints, begin: int, failed: Flags
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return service and country as one number, the hour, whether they failed, and how many."""
    known = country.cast(_COUNTRY, strict=False)
    given = known.is_not_null()
    if not given.any():
        return (np.zeros(0, np.int64),) * 4
    code = known.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    first = begin // 60
    hours = int(minute.max() + begin) // 60 - first + 1
    hour = (minute + begin) // 60 - first if hours > 1 else np.zeros(1, np.int64)
    cells = ((service * len(COUNTRIES_KNOWN) + code) * hours + hour) * 2 + failed
    cells, counts = _counted(cells if given.all() else cells[given.to_numpy()])
    place, hour, bucket = _split(cells, hours, 2)
    return place, (hour + first) * HOUR_US, bucket, counts


def _split(cells: Ints, slots: int, buckets: int) -> tuple[Ints, Ints, Ints]:
    """Return place, slot and bucket of cells."""
    cell, bucket = np.divmod(cells, buckets)
    place, slot = np.divmod(cell, slots)
    return place, slot, bucket


def _routes(events: pl.DataFrame) -> tuple[Ints, list[tuple[str | None, str]]]:
    """Return a number for each event's route, and service and name of each route.

    A route names its service; what has no route is numbered by its service.
    """
    route, first = _numbered(events["route"])
    known = events.select("service", "route")[first].rows()
    if events["route"].null_count():
        service, first = _numbered(events["service"])
        route = np.where(route < len(known), route, len(known) + service)
        known += [(name, None) for name in [*events["service"][first].to_list(), None]]
    return route, [(service, name or "") for service, name in known]


def _numbered(names: pl.Series) -> tuple[Ints, Ints]:
    """Return a number for each name, and the first row of each; null has the number after all."""
    codes = names.cast(pl.Categorical(pl.Categories.random())).to_physical().cast(pl.Int64)
    first = codes.arg_unique()
    if codes.null_count():
        first = first.filter(names[first].is_not_null())
        codes = codes.fill_null(len(first))
    return codes.to_numpy(), first.to_numpy()


def _filled(values: pl.Series) -> Ints:
    whole = values.fill_null(0) if values.null_count() else values
    return whole.to_numpy()


def _counted(cells: Ints) -> tuple[Ints, Ints]:
    """Return the different cells, and how often each is there."""
    if _is_dense(cells):
        every = np.bincount(cells)
        places = np.flatnonzero(every)
        return places, every[places]
    return np.unique(cells, return_counts=True)


def _is_dense(cells: Ints) -> bool:
    return len(cells) > 0 and int(cells.max()) <= _SPARSE * len(cells) + _ROOM


def _added(cells: Ints, values: pl.Series) -> tuple[Ints, Ints]:
    """Return the different cells, and the sum of the values in each."""
    sizes = values.to_numpy().clip(0, _MOST_BYTES).astype(np.float64)
    places, at = _counted(cells)[0], cells
    if not _is_dense(cells):
        return places, _exact(np.bincount(np.searchsorted(places, at), sizes, len(places)))
    return places, _exact(np.bincount(at, sizes)[places])


def _exact(sums: npt.NDArray[Any]) -> Ints:
    return sums.astype(np.int64)


def _lengths(cells: Ints, durations: pl.Series) -> tuple[Ints, Ints]:
    """Return the different cells and buckets as one number, and how often each is there."""
    cells, durations = _given(cells, durations)
    quarters = durations.to_numpy().astype(np.float32).clip(1).view(np.int32) >> _BITS
    return _counted(cells * BUCKETS + (quarters - _LEAST).clip(0, BUCKETS - 1))


def _given(cells: Ints, values: pl.Series) -> tuple[Ints, pl.Series]:
    """Leave out what is null."""
    if not values.null_count():
        return cells, values
    return cells[values.is_not_null().to_numpy()], values.drop_nulls()


def _rows(measure: int, place: Ints, start: Ints, bucket: Ints | int, counts: Ints) -> Ints:
    whole = np.empty((len(counts), 6), np.int64)
    for at, values in enumerate((measure, place, start, bucket, 0, counts)):
        whole[:, at] = values
    return whole
