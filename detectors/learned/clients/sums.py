"""What each client did within half an hour: integers and sets of bits that add up."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]

#: A pane, and one of the slots into which it is cut to see pace and pauses, in microseconds.
PANE_US: Final = 1_800_000_000
SLOTS: Final = 60
SLOT_US: Final = PANE_US // SLOTS

#: Distinct paths are counted on as many words of 64 bits as this.
PATH_WORDS: Final = 4

WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")

FLAGS: Final = ("writes", "refused", "missing", "failed")
_WORDS: Final = tuple(f"paths_{word}" for word in range(PATH_WORDS))
BIT_SETS: Final = (*_WORDS, "routes", "agents", "slots")

#: Sums of one client and pane. `key` is a hash (xxh3) of the client, by which clients are told
#: apart. `pane` is the number of the pane since 1970. Counts are of requests:
#: writes; answered 401, 403 or 429; 404; 5xx. `bytes` are those of answers, `first` and `last`
#: effective times (us since 1970). Sets have a bit for each hash that was seen (`slots`: for each
#: slot of the pane), and are joined by OR.
SUMS_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "client": pl.String(),
        "pane": pl.Int64(),
        "requests": pl.Int64(),
        **{name: pl.Int64() for name in FLAGS},
        "bytes": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        **{name: pl.UInt64() for name in BIT_SETS},
    }
)

_JOINS: Final[dict[str, np.ufunc]] = {
    **dict.fromkeys(("requests", *FLAGS, "bytes"), np.add),
    "pane": np.maximum,
    "first": np.minimum,
    "last": np.maximum,
    **dict.fromkeys(BIT_SETS, np.bitwise_or),
}

_ONE: Final = np.uint64(1)
_LOW: Final = np.uint64(63)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_REFUSED: Final = (401, 403, 429)
_NOT_FOUND, _FAILED = 404, 500


def no_sums() -> pl.DataFrame:
    """Return a frame of SUMS_SCHEMA without rows."""
    return pl.DataFrame(schema=SUMS_SCHEMA)


def sums_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return the sums (SUMS_SCHEMA) of a batch (BATCH_SCHEMA), one row a client and pane.

    Counts events at the edge that have a client and are not over a minute late.
    """
    seen = pl.col("edge") & pl.col("windowed") & pl.col("client_ip").is_not_null()
    status = pl.col("status").fill_null(0)
    rows = events.select(
        "client_ip", "effective_time", "method", "status", "response_bytes",
        "path", "route", "user_agent", "edge", "windowed",
    ).filter(seen)  # fmt: skip
    if rows.is_empty():
        return no_sums()
    chosen = rows.select(
        time=pl.col("effective_time").to_physical(),
        key=_hash("client_ip"),
        path=_hash("path"),
        routes=_hash("route"),
        agents=_hash("user_agent"),
        bytes=pl.col("response_bytes").fill_null(0),
        writes=pl.col("method").is_in(WRITES).fill_null(value=False),
        refused=status.is_in(_REFUSED),
        missing=status == _NOT_FOUND,
        failed=status >= _FAILED,
    )
    return _summed(rows["client_ip"], chosen)


def _hash(name: str) -> pl.Expr:
    """Return a fixed hash of a text column, 0 where it is missing."""
    column: Any = plh.col(name)
    hashing: pl.Expr = column.nchash.xxh3_64()
    return hashing.fill_null(0)


def _summed(client: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    time: Ints = rows["time"].to_numpy()
    pane = time // PANE_US
    order, starts = _groups(rows["key"].to_numpy() ^ (pane.view(np.uint64) * _GOLDEN))
    time = time[order]
    first_rows = order[starts]
    counts = _counted({name: rows[name].to_numpy()[order] for name in FLAGS}, starts)
    bits = _bits({name: rows[name].to_numpy()[order] for name in ("path", "routes", "agents")})
    bits["slots"] = _ONE << (time % PANE_US // SLOT_US).view(np.uint64)
    return pl.DataFrame(
        {
            "key": rows["key"].gather(first_rows),
            "client": client.gather(first_rows),
            "pane": pane[first_rows],
            "requests": np.diff(starts, append=len(order)),
            **counts,
            "bytes": np.add.reduceat(rows["bytes"].to_numpy()[order], starts),
            "first": np.minimum.reduceat(time, starts),
            "last": np.maximum.reduceat(time, starts),
            **{name: np.bitwise_or.reduceat(each, starts) for name, each in bits.items()},
        },
        schema=SUMS_SCHEMA,
    )


def _groups(key: Bits) -> tuple[Ints, Ints]:
    """Return an order in which rows of one key stand together, and where each key begins."""
    order = np.argsort(key)
    found = key[order]
    return order, np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]]))


def _counted(flags: dict[str, npt.NDArray[np.bool_]], starts: Ints) -> dict[str, Ints]:
    """Return how many rows of each group have each flag; two flags are summed in one number."""
    counts: dict[str, Ints] = {}
    names = list(flags)
    for low, high in zip(names[::2], names[1::2], strict=True):
        both = flags[low].astype(np.int64) | (flags[high].astype(np.int64) << 32)
        summed = np.add.reduceat(both, starts)
        counts[low], counts[high] = summed & 0xFFFFFFFF, summed >> 32
    return counts


def _bits(hashes: dict[str, Bits]) -> dict[str, Bits]:
    """Return for each request its bit in each of the sets."""
    path = hashes["path"]
    bit = _ONE << (path & _LOW)
    word = (path >> np.uint64(6)) % np.uint64(PATH_WORDS)
    return {
        **{name: np.where(word == place, bit, np.uint64(0)) for place, name in enumerate(_WORDS)},
        "routes": _ONE << (hashes["routes"] & _LOW),
        "agents": _ONE << (hashes["agents"] & _LOW),
    }


def joined(sums: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return rows of SUMS_SCHEMA joined by `key`, or by `key` and `pane`, in their order.

    `pane` is the newest one where it is not among the keys.
    """
    ordered = sums.sort(by)
    changed = [pl.col(name) != pl.col(name).shift() for name in by]
    new = ordered.select(pl.any_horizontal(changed).fill_null(value=True)).to_series()
    starts = np.flatnonzero(new.to_numpy())
    if len(starts) == sums.height:
        return ordered
    columns: dict[str, Any] = {
        name: join.reduceat(ordered[name].to_numpy(), starts) for name, join in _JOINS.items()
    }
    columns |= {name: ordered[name].gather(starts) for name in {*by, "key", "client"}}
    return pl.DataFrame(columns, schema=SUMS_SCHEMA)
