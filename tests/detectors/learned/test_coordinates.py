"""Distances of coordinates: whole kilometres, never more than is sure, and unknown where one is."""

import polars as pl
import pytest

from detectors.learned.places.coordinates import kilometres, place


def between(one: str | None, other: str | None) -> int | None:
    ends = pl.DataFrame(
        {"one": [one], "other": [other]}, schema=dict.fromkeys(("one", "other"), pl.String)
    )
    found: int | None = ends.select(kilometres("one", "other")).item()
    return found


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("0.0,0.0,0", 0),
        ("0.0,1.0,0", 111),  # 111.19 km
        ("0.0,5.0,0", 555),  # 555.97 km
        ("0.0,5.0,100", 455),
        ("0.0,5.0,556", 0),
    ],
)
def test_distances_are_rounded_down(other: str, expected: int) -> None:
    assert between("0.0,0.0,0", other) == expected
    assert between(other, "0.0,0.0,0") == expected


@pytest.mark.parametrize(
    "text", ["nan,0,1", "0,nan,1", "0,0,nan", "inf,0,1", "0,-inf,1", "0,0,inf"]
)
def test_what_is_no_number_is_unknown(text: str) -> None:
    assert between(text, "1.0,2.0,8") is None
    assert between("1.0,2.0,8", text) is None


@pytest.mark.parametrize("text", ["", "x", "1,2", "x,2,3", None])
def test_what_is_no_location_is_unknown(text: str | None) -> None:
    assert between(text, "1.0,2.0,8") is None


@pytest.mark.parametrize("text", ["nan,0,1", "0,nan,1", "inf,0,1", "x", "1"])
def test_what_is_no_location_is_in_no_place(text: str) -> None:
    assert pl.DataFrame({"at": [text]}).select(place("at")).item() is None
