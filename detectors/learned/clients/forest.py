"""A trained forest as arrays: scores without a clock, a lock or a pool of workers."""

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

Floats = npt.NDArray[np.float64]
Nodes = npt.NDArray[np.int64]

_EULER: Final = 0.5772156649015329
#: Rows that are scored at once.
_ROWS: Final = 2_000


class Trees(NamedTuple):
    """All trees of an isolation forest, node by node. A leaf's children are itself.

    `length` is, for leaves, the length of the path to it, and on from it for those that it did not
    tell apart. `expected` is that of an ordinary value.
    """

    roots: Nodes
    feature: Nodes
    threshold: Floats
    left: Nodes
    right: Nodes
    length: Floats
    expected: float
    depth: int

    @classmethod
    def of(cls, forest: "IsolationForest") -> Self:
        """Return a forest of scikit-learn as arrays."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        sizes = np.array([tree.node_count for tree in trees], dtype=np.int64)
        roots = np.cumsum(sizes) - sizes
        depths = [_depths(tree.children_left, tree.children_right) for tree in trees]
        left, right = (
            np.concatenate([_children(getattr(tree, side), root) for tree, root in pairs])
            for side in ("children_left", "children_right")
            for pairs in [list(zip(trees, roots.tolist(), strict=True))]
        )
        samples = np.concatenate([tree.n_node_samples for tree in trees])
        depth = np.concatenate(depths)
        return cls(
            roots=roots,
            feature=np.maximum(np.concatenate([tree.feature for tree in trees]), 0),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=left,
            right=right,
            length=depth + expected_length(samples),
            expected=float(expected_length(np.array([forest.max_samples_]))[0]),
            depth=int(depth.max()),
        )

    def scores(self, rows: Floats) -> Floats:
        """Return how odd each row is, from 0 to 1.

        The score of Liu, Ting and Zhou (Isolation Forest, ICDM 2008): 2 to the power of
        -(mean length of the paths / expected length).
        """
        narrow = rows.astype(np.float32)  # as the trees were grown
        parts = [self._scored(narrow[at : at + _ROWS]) for at in range(0, len(narrow), _ROWS)]
        return np.concatenate([np.zeros(0), *parts])

    def _scored(self, rows: npt.NDArray[np.float32]) -> Floats:
        place = np.arange(len(rows))[:, None]
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        for _ in range(self.depth):
            low = rows[place, self.feature[node]] <= self.threshold[node]
            node = np.where(low, self.left[node], self.right[node])
        total = self.length[node].sum(axis=1)
        found: Floats = 2.0 ** -(total / (len(self.roots) * self.expected))
        return found


def expected_length(samples: npt.NDArray[np.int64]) -> Floats:
    """Return the mean length of a path that finds nothing among so many (same paper, eq. 1)."""
    many = np.maximum(samples, 3).astype(np.float64)
    found = 2.0 * (np.log(many - 1.0) + _EULER) - 2.0 * (many - 1.0) / many
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, found))  # noqa: PLR2004


def _children(given: Nodes, root: int) -> Nodes:
    """Return children among the nodes of all trees; a leaf is its own."""
    own = np.arange(len(given))
    return np.where(given < 0, own, given) + root


def _depths(left: Nodes, right: Nodes) -> Floats:
    """Return how far each node is from its root; parents come before their children."""
    depths = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0).tolist():
        depths[left[node]] = depths[right[node]] = depths[node] + 1
    return depths
