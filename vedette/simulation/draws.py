"""Random streams by name, and the draws that the modules share."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator for one part of a run.

    Each part has its own, so that adding or leaving out a scenario changes no other part.
    """
    return np.random.default_rng([seed, crc32(name.encode())])


def choose(rng: np.random.Generator, weights: Sequence[float], count: int) -> IntArray:
    """Return `count` indices, drawn by their weights."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges[:-1] / edges[-1], rng.random(count), side="right")


def choose_rows(rng: np.random.Generator, weights: FloatArray, rows: IntArray) -> IntArray:
    """Return for each row number one column of `weights`, drawn by that row's weights."""
    edges = np.cumsum(weights, axis=1)
    edges /= edges[:, -1:]
    share = rng.random(len(rows))
    picked = np.zeros(len(rows), dtype=np.int64)
    for column in range(weights.shape[1] - 1):
        picked += share >= edges[rows, column]
    return picked


def positions(lengths: IntArray) -> IntArray:
    """Return 0, 1, 2 ... within each of the consecutive runs of these lengths."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(starts, lengths)
