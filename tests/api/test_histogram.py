"""Histograms: cumulative counts and a sum."""

from hypothesis import given
from hypothesis import strategies as st

from api.histogram import Histogram

BOUNDS = (0.5, 1.0, 10.0)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 10.0, 11.0])))
def test_each_bucket_counts_what_is_at_most_its_bound(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    found = histogram.read()
    expected = [float(sum(value <= bound for value in values)) for bound in BOUNDS]
    assert found.buckets == [
        *zip(("0.5", "1", "10"), expected, strict=True),
        ("+Inf", float(len(values))),
    ]
    assert found.sum == sum(values)
