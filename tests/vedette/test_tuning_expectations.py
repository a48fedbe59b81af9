"""Expectations for notebooks: what happens is found, and nothing else; counts are those of logs."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest

from detectors.learned.spikes.kinds import AUTH, MISSING, VOLUME
from detectors.learned.spikes.sums import SUM_SCHEMA
from vedette.tuning import expectation_pictures, expectations
from vedette.tuning.expectations import LENGTH, Watched

CASE = Path(__file__).parents[1] / "golden" / "not_found_spike"


@pytest.fixture(scope="module")
def watched() -> Watched:
    return expectations.watch(expectations.simulated_counts(), false_alarms_per_day=1.0)


def test_what_happens_is_found_and_nothing_else(watched: Watched) -> None:
    found = expectations.findings(watched)
    assert set(found["happened"]) == {"flood", "outage", "guessing", "launch"}
    launch = found[found["happened"] == "launch"]
    assert launch["detector"].tolist() == ["volume_spike"]
    assert launch["note"].str.startswith("Level changed").all()


def test_larger_budgets_find_no_less(watched: Watched) -> None:
    told = expectations.by_budget(watched, [0.1, 1.0, 30.0])
    assert (told.loc[1.0, ["flood", "outage", "guessing", "launch"]] == "found").all()
    assert told["nothing known"].is_monotonic_increasing
    assert told["1 in"].is_monotonic_decreasing
    assert told.loc[1.0, "1 in"] == round(1 / watched.limit)


def test_intervals_hold_what_is_expected(watched: Watched) -> None:
    route = watched.counts.routes[0]
    low, high = expectations.intervals(watched, route, VOLUME, 0.001)
    least, most = expectations.intervals(watched, route, VOLUME, 0.00001)
    judged = slice(watched.judged_from, None)
    expected, counted = watched.expected[judged, 0, VOLUME], watched.counts.counted[judged, 0, 0]
    assert (least <= low).all()
    assert (most >= high).all()
    assert ((low[judged] < expected) & (expected < high[judged])).all()
    outside = (counted < low[judged]) | (counted > high[judged])
    assert outside.mean() < 0.02


def test_counts_of_a_log_are_those_of_its_routes() -> None:
    counts = expectations.read_counts([str(CASE / "access.log")])
    lines = (CASE / "access.log").read_text(encoding="utf-8").splitlines()
    assert counts.counted[:, :, VOLUME].sum() == len(lines)
    assert counts.counted[:, :, MISSING].sum() == sum('" 404 ' in line for line in lines)
    assert counts.start % LENGTH == 0
    assert str(counts).startswith(f"{len(lines)} requests to ")


def test_all_answers_count_as_requests() -> None:
    rows = [
        ("route", "a", 0, 0, 0, 5),
        ("route", "a", LENGTH, AUTH, 0, 2),
        ("all", "all", 0, 0, 0, 9),
    ]
    counts = expectations.counts_of(pl.DataFrame(rows, schema=SUM_SCHEMA, orient="row"))
    assert counts.routes == ("a",)
    assert counts.counted[:, 0, VOLUME].tolist() == [5.0, 2.0]
    assert counts.counted[:, 0, AUTH].tolist() == [0.0, 2.0]


def test_log_without_routes_is_refused() -> None:
    with pytest.raises(ValueError, match="is the format of the log known"):
        expectations.counts_of(pl.DataFrame(schema=SUM_SCHEMA))


def test_pictures_show_what_was_told(watched: Watched) -> None:
    mpl.use("agg")
    figure = expectation_pictures.draw_expectation(watched, watched.counts.routes[1], (7, 14))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["usual", "limit by the budget", "counted", "expected", "told"]
    line = expectation_pictures.draw_chances(watched).axes[0].lines[1]
    assert np.isfinite(np.asarray(line.get_ydata(), float)).all()
