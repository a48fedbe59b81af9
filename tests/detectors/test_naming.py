"""What entities are called: no secret is told, and no two are taken for one."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.naming import _PLAIN, NAME_LIMIT, name_of, shown
from ingest.masking import mask_series


def test_ordinary_names_stay() -> None:
    names = pl.Series(["alice", None, "u123456", "shop GET /orders/{id}"])
    assert shown(names).to_list() == names.to_list()


def test_secrets_are_masked_and_stay_apart() -> None:
    one, other, plain = shown(pl.Series(["ann@example.com", "bob@example.com", "joe"]))
    assert one.startswith("***#")
    assert other.startswith("***#")
    assert one != other
    assert plain == "joe"


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.emails(), st.text(max_size=20)), max_size=20))
def test_a_name_does_not_depend_on_its_neighbours(names: list[str | None]) -> None:
    together = shown(pl.Series(names, dtype=pl.String())).to_list()
    alone = [shown(pl.Series([name], dtype=pl.String()))[0] for name in names]
    assert together == alone


def test_settings_name_users_as_the_log_does() -> None:
    assert name_of("user", "ann@example.com") == shown(pl.Series(["ann@example.com"]))[0]
    assert name_of("client", "203.0.113.7") == "203.0.113.7"


def test_long_names_are_cut_and_stay_apart() -> None:
    long = "a name " * 1_000
    one, other, short = shown(pl.Series([f"{long}x", f"{long}y", ("a name " * 100)[:NAME_LIMIT]]))
    assert one != other
    assert short == ("a name " * 100)[:NAME_LIMIT]
    assert max(map(len, (one, other))) < NAME_LIMIT


@settings(deadline=None, max_examples=20)
@given(st.lists(st.from_regex(_PLAIN.replace("$", r"\Z")), min_size=20))
def test_names_that_are_taken_as_plain_hold_nothing_to_mask(names: list[str]) -> None:
    plain = pl.Series([name for name in names if "eyJ" not in name], dtype=pl.String())
    assert mask_series(plain).to_list() == plain.to_list() == shown(plain).to_list()


@pytest.mark.parametrize("name", ["eyJhbGciOi", "xoxb-12345678", "ya29.abcdefgh"])
def test_short_secrets_are_masked(name: str) -> None:
    assert str(shown(pl.Series([name]))[0]).startswith("***#")
