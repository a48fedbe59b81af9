"""A trained client model: what it knows, what it says of a client, and the file that it is in.

The file is a line that names the format, a line with an HMAC-SHA256 under the installation's
secret, a line of JSON that says what the model is, and the forest as skops writes it. Nothing of it
is looked at before the HMAC agrees, and nothing is ever unpickled.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detectors.learned.clients.features import FEATURES, SHARES, matrix
from detectors.learned.clients.forest import Trees

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

FORMAT: Final = b"vedette client model 1"
LIBRARIES: Final = ("numpy", "scikit-learn", "skops")

#: Scores are told in points: 0 is as usual as can be, 1,000 as odd as can be.
POINTS: Final = 1_000
#: A regular of the history is told only if it is odder by this than it was there.
MARGIN: Final = 20

_PURPOSE: Final = b"vedette client model"
_TOLD: Final = 3
#: What skops takes besides what it trusts itself: trees of nodes, as this installation wrote them.
#: `forest.Trees` goes through them with NumPy, which checks every index.
_TRUSTED: Final = ("sklearn.tree._tree.Tree",)
_TRAIN_AGAIN: Final = "train it again: vedette train LOGS"


class ModelError(ValueError):
    """A model that is not taken; the message says why and what to do."""


class Usual(BaseModel):
    """Between which values a feature is for nine of ten clients of the history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float


class About(BaseModel):
    """What is known of a model: all but the forest.

    `limit` is the least score in points that is told. `regulars` are clients (by hash) that were
    as odd on several days of the history, with their greatest score there. `days` is how long the
    history was, `windows` and `clients` how many were learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    since: datetime
    until: datetime
    days: float
    windows: int
    clients: int
    judged: int
    false_alarms_per_day: float
    limit: int
    seed: int
    usual: Mapping[str, Usual]
    regulars: Mapping[int, int] = Field(default_factory=dict)
    libraries: Mapping[str, str]


@dataclass(frozen=True)
class ClientModel:
    """A forest that tells clients apart from most others, with all that is known of it."""

    about: About
    forest: "IsolationForest"

    @cached_property
    def _trees(self) -> Trees:
        return Trees.of(self.forest)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what decides its findings: all that is known of it, and its trees."""
        digest = hashlib.sha256(self.about.model_dump_json().encode())
        for part in self._trees:
            digest.update(np.asarray(part).tobytes())
        return digest.hexdigest()[:16]

    def points(self, found: pl.DataFrame) -> pl.Series:
        """Return how odd each client is (WINDOWS_SCHEMA -> Int64, in points)."""
        return points_of(self._trees, found)

    def limit_of(self, client: int, limit: int) -> int:
        """Return the least score that is told of a client (its hash); regulars have their own."""
        known = self.about.regulars.get(client)
        return limit if known is None else max(limit, known + MARGIN)

    def note(self, row: Mapping[str, float]) -> str:
        """Say in which features a client stands out most, and between which values most are."""
        far = {name: _far(name, row[name], self.about.usual[name]) for name in FEATURES}
        named = sorted((name for name in far if far[name] > 0), key=lambda name: -far[name])
        if not named:
            return "each figure is usual by itself, but not all of them together"
        told = "; ".join(
            f"{FEATURES[name]} {shown(row[name])} against {_between(self.about.usual[name])}"
            for name in named[:_TOLD]
        )
        return f"in six hours {told} of most clients"


def points_of(trees: Trees, found: pl.DataFrame) -> pl.Series:
    """Return how odd clients (WINDOWS_SCHEMA) are for a forest, in points (Int64)."""
    points = np.round(POINTS * trees.scores(matrix(found)))
    return pl.Series("points", points.astype(np.int64))


def written(model: ClientModel, secret: bytes) -> bytes:
    """Return a model as bytes, for this installation alone."""
    import skops.io  # noqa: PLC0415 - costs a second, and most runs have no model

    body = model.about.model_dump_json().encode() + b"\n" + skops.io.dumps(model.forest)
    return b"\n".join((FORMAT, _hmac(body, secret), body))


def read(content: bytes, secret: bytes) -> ClientModel:
    """Return the model that `written` wrote. Raises ModelError."""
    name, _, rest = content.partition(b"\n")
    if name != FORMAT:
        raise ModelError(f"it is no client model of this version; {_TRAIN_AGAIN}")
    told, _, body = rest.partition(b"\n")
    if not hmac.compare_digest(told, _hmac(body, secret)):
        raise ModelError(
            "it was not made by this installation, or was changed since: a model is taken only"
            f" with the server's secret under which it was made; {_TRAIN_AGAIN}"
        )
    line, _, forest = body.partition(b"\n")
    try:
        about = About.model_validate_json(line)
    except ValidationError as error:
        raise ModelError(f"it is of another version of this program; {_TRAIN_AGAIN}") from error
    _check(about)
    return ClientModel(about, _forest(forest))


def libraries() -> dict[str, str]:
    """Return the versions of the libraries on which scores depend."""
    return {name: version(name) for name in LIBRARIES}


def _check(about: About) -> None:
    if about.features != tuple(FEATURES):
        raise ModelError(f"it knows other features than this program; {_TRAIN_AGAIN}")
    here = libraries()
    for name, made_with in about.libraries.items():
        if here.get(name) != made_with:
            raise ModelError(
                f"it was made with {name} {made_with}, this is {here.get(name, 'none')};"
                f" {_TRAIN_AGAIN}"
            )


def _forest(content: bytes) -> "IsolationForest":
    import skops.io  # noqa: PLC0415
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    forest = skops.io.loads(content, trusted=list(_TRUSTED))
    if not isinstance(forest, IsolationForest):
        raise ModelError(f"it holds no forest; {_TRAIN_AGAIN}")
    return forest


def _hmac(body: bytes, secret: bytes) -> bytes:
    key = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(key, body, "sha256").hex().encode()


def _far(name: str, value: float, usual: Usual) -> float:
    """Return how far outside of what is usual a value is, in widths of that; 0 inside."""
    if name in SHARES:
        width = max(usual.high - usual.low, 5.0)
        return max(value - usual.high, usual.low - value, 0.0) / width
    low, high, at = np.log1p([usual.low, usual.high, value])
    return float(max(at - high, low - at, 0.0) / max(high - low, 0.5))


def _between(usual: Usual) -> str:
    low, high = shown(usual.low), shown(usual.high)
    return low if low == high else f"{low} to {high}"


def shown(value: float) -> str:
    """Return a figure as people read it."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"  # noqa: PLR2004
