"""Times in one layout mean the same as each of them read alone."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import parse_times
from ingest.uniform_times import uniform_times

MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))  # noqa: DTZ001 - naive by design


def alone(texts: list[str]) -> list[int | None]:
    """Read each text beside one of another length, which no shortcut takes."""
    return [parse_times(pl.Series([text, "-"])).to_physical()[0] for text in texts]


@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=6),
    digits=st.text("0123456789", max_size=9),
    blank=st.sampled_from("T "),
    point=st.sampled_from(".,"),
    zone=st.sampled_from(["Z", "z", "+00:00", "-0000", "+05:30", "-1145", "+23:59"]),
)
def test_a_column_in_one_layout_reads_as_each_text_alone(
    moments: list[datetime], digits: str, blank: str, point: str, zone: str
) -> None:
    fraction = point + digits if digits else ""
    texts = [
        f"{m.year:04}-{m.month:02}-{m.day:02}{blank}{m.hour:02}:{m.minute:02}:{m.second:02}"
        f"{fraction}{zone}"
        for m in moments
    ]
    found = uniform_times(pl.Series(texts))
    assert found is not None
    assert found.tolist() == alone(texts)


@given(
    text=st.sampled_from(["2026-11-02T08:00:59.123Z", "2024-02-29 23:59:59+05:30"]),
    place=st.integers(0, 24),
    letter=st.sampled_from("0123456789-+:.,TZ /\u00e9"),
)
def test_a_letter_that_differs_changes_no_time(text: str, place: int, letter: str) -> None:
    other = text[:place] + letter + text[place + 1 :]
    texts = [text, other, text]
    assert parse_times(pl.Series(texts)).to_physical().to_list() == alone(texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [None],
        ["2026-11-02T08:00:00.123Z", None],
        ["2026-11-02T08:00:00.123Z", "2026-11-02T08:00:60.123Z"],
        ["2026-11-02T08:00:00.123Z", "2026-02-29T08:00:00.123Z"],
        ["2026-11-02T08:00:00.123Z", "2026-11-02T24:00:00.123Z"],
        ["2026-11-02T08:00:00.123Z", "2026-11-02T08:00:00,123Z"],
        ["2026-11-02T08:00:00+01:00", "2026-11-02T08:00:00+02:00"],
        ["2026-11-02T08:00:00.123"],
        ["2026/11/02 08:00:00.123Z"],
        ["1793606400"],
    ],
)
def test_what_is_not_in_one_layout_is_left_to_others(texts: list[str | None]) -> None:
    assert uniform_times(pl.Series(texts, dtype=pl.String)) is None


def test_days_may_change_but_not_with_every_line() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    days = [begin + timedelta(days=number) for number in range(300)]
    texts = pl.Series([day.strftime("%Y-%m-%dT%H:%M:%SZ") for day in days])
    assert uniform_times(texts) is None
    assert uniform_times(texts.head(200)) is not None
    assert parse_times(texts).to_list() == days
