"""Pseudonyms: stable under one secret, telling nothing without it."""

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import EVENT_SCHEMA
from ingest.pseudonyms import PREFIXES, Personal, Pseudonyms

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))
ALL: frozenset[Personal] = frozenset({"user", "client_ip"})

values = st.one_of(st.none(), st.sampled_from(["bob", "", "203.0.113.7"]), st.text(max_size=8))


def events(**columns: list[Any]) -> pl.DataFrame:
    height = len(next(iter(columns.values())))
    return pl.DataFrame(
        {name: columns.get(name, [None] * height) for name in EVENT_SCHEMA.names()},
        schema=EVENT_SCHEMA,
    )


def test_nothing_changes_from_one_release_to_the_next() -> None:
    names = Pseudonyms(SECRET)
    assert names.api_keys(pl.Series("k", ["s3cret"])).to_list() == ["key-697df24fe320dc3f"]
    assert names.pseudonym("user", "bob") == "user-5969e5e30818bc25"


def test_columns_that_the_settings_name() -> None:
    frame = events(
        user=["bob", None, "bob"],
        client_ip=["203.0.113.7", "203.0.113.8", None],
        client_network=["203.0.113.0/24", "203.0.113.0/24", None],
        path=["/bob", "/", "/"],
    )
    names = Pseudonyms(SECRET, ALL)
    found = names.apply(frame)
    assert found.schema == frame.schema
    bob = names.pseudonym("user", "bob")
    assert found["user"].to_list() == [bob, None, bob]
    first, second, none = found["client_ip"]
    assert first == names.pseudonym("client_ip", "203.0.113.7") != second
    assert none is None
    network = names.pseudonym("client_network", "203.0.113.0/24")
    assert found["client_network"].to_list() == [network, network, None]
    changed = ["user", "client_ip", "client_network"]
    assert found.drop(changed).equals(frame.drop(changed))
    assert Pseudonyms(SECRET).apply(frame).equals(frame)
    only = Pseudonyms(SECRET, frozenset({"user"})).apply(frame)
    assert only.drop("user").equals(frame.drop("user"))
    assert only["user"].to_list() == found["user"].to_list()


@settings(deadline=None)
@given(st.lists(values), st.sampled_from(sorted(PREFIXES)))
def test_pseudonyms_are_one_to_one_and_tell_nothing(texts: list[str | None], column: str) -> None:
    names = Pseudonyms(SECRET)
    found = names._series(column, pl.Series(column, texts, dtype=pl.String))
    assert found.name == column
    for text, name in zip(texts, found, strict=True):
        assert (name is None) == (text is None)
        assert name is None or re.fullmatch(rf"{PREFIXES[column]}-[0-9a-f]{{16}}", name)
    assert len(set(found)) == len(set(texts))


def test_another_secret_another_pseudonym() -> None:
    one, other = (Pseudonyms(secret, ALL) for secret in (SECRET, OTHER))
    for column in PREFIXES:
        assert one.pseudonym(column, "192.0.2.1") != other.pseudonym(column, "192.0.2.1")
    digests = {one.pseudonym(column, "192.0.2.1").partition("-")[2] for column in PREFIXES}
    assert len(digests) == len(PREFIXES)


def test_people_look_addresses_up_in_any_spelling() -> None:
    names = Pseudonyms(SECRET, ALL)
    for one, other in [("2001:DB8::1", "2001:db8:0:0::1"), ("::ffff:192.0.2.1", "192.0.2.1")]:
        assert names.pseudonym("client_ip", one) == names.pseudonym("client_ip", other)


def test_what_has_no_pseudonym_is_refused() -> None:
    names = Pseudonyms(SECRET)
    with pytest.raises(ValueError, match="'path' has no pseudonyms: choose of api_key, user"):
        names.pseudonym("path", "/")
    with pytest.raises(ValueError, match="needs an address"):
        names.pseudonym("client_ip", "bob")
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")
