"""Panes: how windows are cut."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.panes import PANE_SECONDS, SECOND_US, Panes


@pytest.mark.parametrize(
    ("seconds", "length", "width"),
    [
        (1, 1, 2),
        (10, 1, 11),
        (60, 1, 61),
        (61, 5, 14),
        (120, 5, 25),
        (300, 5, 61),
        (600, 10, 61),
        (1800, 30, 61),
        (3600, 60, 61),
        (86400, 60, 1441),
    ],
)
def test_windows_of_the_design(seconds: int, length: int, width: int) -> None:
    panes = Panes.of(timedelta(seconds=seconds))
    assert (panes.length, panes.width) == (length * SECOND_US, width)


@given(st.integers(1, 86_400_000))
def test_a_window_is_never_shorter_and_at_most_a_pane_longer(milliseconds: int) -> None:
    window = timedelta(milliseconds=milliseconds)
    panes = Panes.of(window)
    span = window // timedelta(microseconds=1)
    assert panes.length // SECOND_US in PANE_SECONDS
    # A match anywhere in the last pane sees at least `window` back, and less than two panes more.
    assert panes.span - panes.length >= span
    assert panes.span - span < 2 * panes.length


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_windows_that_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="24 h"):
        Panes.of(timedelta(seconds=seconds))
