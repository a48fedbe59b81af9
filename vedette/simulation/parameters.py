"""Pools of the values that stand in paths and queries: drawn once a run, picked by index."""

from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.draws import IntArray

_WORDS: Final = (
    "lamp",
    "chair",
    "desk",
    "sofa",
    "table",
    "shelf",
    "mirror",
    "carpet",
    "curtain",
    "kettle",
    "toaster",
    "pan",
    "knife",
    "plate",
    "bowl",
    "glass",
    "towel",
    "pillow",
    "blanket",
    "mattress",
    "bench",
    "cabinet",
    "drawer",
    "stool",
    "vase",
    "clock",
    "frame",
    "candle",
    "plant",
    "hook",
    "basket",
    "rack",
    "tray",
    "mug",
    "spoon",
)
_COLOURS: Final = (
    "red",
    "blue",
    "green",
    "grey",
    "black",
    "white",
    "oak",
    "walnut",
    "brass",
    "copper",
    "linen",
    "small",
    "large",
)

#: How many values each pool has. The first ones are asked for most where `POPULAR` says so.
SIZES: Final = {
    "product": 20_000,
    "category": 180,
    "article": 900,
    "number": 40_000,
    "order": 60_000,
    "uuid": 30_000,
    "hash": 25_000,
    "page": 12,
    "words": len(_WORDS) * len(_COLOURS),
    "prefix": len(_WORDS) * 2,
    "since": 2_000,
    "item": 500,
}

#: Pools of which a few values draw most of the interest.
POPULAR: Final = frozenset({"product", "category", "hash", "page", "words"})


def draw_pools(rng: np.random.Generator) -> dict[str, pl.Series]:
    """Return a pool of String values for every name of SIZES."""
    return {
        "product": _numbers(rng, 10_000, 99_999, SIZES["product"]),
        "category": _numbers(rng, 100, 999, SIZES["category"]),
        "article": _numbers(rng, 1_000, 9_999, SIZES["article"]),
        "number": _numbers(rng, 100_000, 999_999, SIZES["number"]),
        "order": _numbers(rng, 10_000_000, 99_999_999, SIZES["order"]),
        "uuid": pl.Series([_uuid(value) for value in _hexadecimal(rng, SIZES["uuid"])]),
        "hash": pl.Series(_hexadecimal(rng, SIZES["hash"])),
        "page": pl.Series([f"page={number}&size=24" for number in range(1, SIZES["page"] + 1)]),
        "words": pl.Series([f"q={colour}+{word}" for word in _WORDS for colour in _COLOURS]),
        "prefix": pl.Series([f"q={word[:length]}" for word in _WORDS for length in (2, 3)]),
        "since": _numbers(rng, 1_000_000, 9_999_999, SIZES["since"], before="since="),
        "item": _numbers(rng, 100, 9_999, SIZES["item"], before="id="),
    }


def pick(rng: np.random.Generator, pool: str, count: int) -> IntArray:
    """Return `count` indices into the pool of that name."""
    share = rng.random(count)
    if pool in POPULAR:
        share = share**3
    return (share * SIZES[pool]).astype(np.int64)


def _numbers(
    rng: np.random.Generator, low: int, high: int, count: int, before: str = ""
) -> pl.Series:
    values = rng.integers(low, high + 1, count)
    return pl.Series(values).cast(pl.String).str.replace("^", before)


def _hexadecimal(rng: np.random.Generator, count: int) -> list[str]:
    digits = rng.bytes(16 * count).hex()
    return [digits[at : at + 32] for at in range(0, 32 * count, 32)]


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
