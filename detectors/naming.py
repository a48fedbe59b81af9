"""How entities are called: as the log has them, with secrets masked."""

from typing import Final

import polars as pl
import polars_hash as plh

from detectors.findings import EntityType
from ingest.masking import mask_series

#: Bytes of a name; longer ones are cut there.
NAME_LIMIT: Final = 512

#: Names that hold no secret of any kind, but for what begins like a web token.
_PLAIN: Final = (
    r"^(?:[A-Za-z0-9._-]{1,12}|[a-z]{1,20}(?:\.[a-z]{1,20}){0,2}"
    r"|[a-wyz][a-z]{0,15}[._-]?[0-9]{1,9})$"
)
_WEB_TOKEN: Final = "eyJ"  # noqa: S105

#: Columns of entities that may hold anything a client has written.
WRITTEN: Final = frozenset({"user", "route", "service"})
_WRITTEN_TYPES: Final[frozenset[EntityType]] = frozenset({"user", "route", "service"})


def shown(texts: pl.Series) -> pl.Series:
    """Return names (String) without secrets; what was masked still differs, by a short hash.

    An e-mail address or a key as user name becomes `***#5d1f09c2`, the same in every run. What is
    longer than NAME_LIMIT is its beginning and such a hash: the state of millions stays bounded.
    """
    doubtful = ~texts.str.contains(_PLAIN) | texts.str.contains(_WEB_TOKEN, literal=True)
    doubtful = doubtful.fill_null(value=False)
    if not doubtful.any():
        return texts
    told = _masked(texts.filter(doubtful))
    place = doubtful.cum_sum().cast(pl.Int64) - 1
    return told.gather(place.clip(0, len(told) - 1)).zip_with(doubtful, texts)


def _masked(texts: pl.Series) -> pl.Series:
    masked = mask_series(texts)
    long = masked.str.len_bytes() > NAME_LIMIT
    if long.any():
        masked = masked.str.head(NAME_LIMIT // 4).zip_with(long, masked)
    changed = (masked != texts).fill_null(value=False)
    if not changed.any():
        return texts
    hashed = texts.filter(changed).to_frame("text").select(plh.col("text").nchash.xxh3_64())
    marks = [f"#{number & 0xFFFFFFFF:08x}" for number in hashed.to_series()]
    told = masked.filter(changed) + pl.Series(marks, dtype=pl.String())
    place = changed.cum_sum() - 1
    return told.gather(place.clip(0, len(marks) - 1)).zip_with(changed, texts)


def name_of(kind: EntityType, text: str) -> str:
    """Return what findings call an entity that settings name."""
    return str(shown(pl.Series([text]))[0]) if kind in _WRITTEN_TYPES else text
