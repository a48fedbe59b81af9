"""Each distinct value once."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.distinct import Distinct

texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "\x00"]), st.text(max_size=3))


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts)))
def test_distinct_rows_spread_to_the_rows_they_came_from(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    distinct = Distinct.of(frame)
    assert distinct.rows.rows() == list(dict.fromkeys(rows))
    for column in distinct.rows:
        assert distinct.spread(column).to_list() == frame[column.name].to_list()


def test_values_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(frame: pl.DataFrame) -> pl.Series:
        return pl.Series([7] * frame.height, dtype=pl.UInt64)

    monkeypatch.setattr(pl.DataFrame, "hash_rows", same)
    frame = pl.DataFrame({"a": ["x", "y", None, "x"]})
    distinct = Distinct.of(frame)
    assert distinct.rows["a"].to_list() == ["x", "y", None]
    assert distinct.spread(distinct.rows["a"]).to_list() == ["x", "y", None, "x"]
