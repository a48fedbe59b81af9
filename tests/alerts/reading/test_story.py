"""The story of an incident: stages in the order of the kill chain."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.story import CLAIM_LIMIT, Chapter, story
from detectors.findings import Finding, Level
from tests.alerts.reading.stories import ENTERING, GUESSING, LOOKING, PROBING, at, finding

ALL = (
    finding(9, detector="errors", tags=(), unit="requests answered 5xx", value=500, threshold=100),
    finding(8, 8, detector="got_in", tags=ENTERING, value=1, threshold=1, unit="successes after"),
    finding(4, detector="guessing", tags=GUESSING, level=Level.HIGH, unit="requests answered 401"),
    finding(3, detector="injection", tags=PROBING, unit="requests with payloads"),
    finding(0, detector="recon", tags=LOOKING),
)


def test_the_order_of_the_kill_chain_and_the_rest_last() -> None:
    told = story(ALL)
    assert [chapter.stage for chapter in told] == [
        "reconnaissance",
        "exploitation",
        "failures",
        "success",
        None,
    ]
    assert told[2] == Chapter(
        stage="failures",
        level="high",
        first=at(4),
        last=at(5),
        detectors=("guessing",),
        sentence="Failed to get in: 43 requests answered 401 within 2 min (limit 10),"
        " from 08:04:00 to 08:05:00 UTC.",
    )
    assert told[4].sentence.startswith("Seen: 500 requests answered 5xx within 2 min (limit 100)")


def test_one_claim_a_detector_the_strongest_and_all_times() -> None:
    (chapter,) = story([finding(0, value=12), finding(20, value=70), finding(40, value=20)])
    assert "70 distinct missing paths" in chapter.sentence
    assert "12 distinct" not in chapter.sentence
    assert (chapter.first, chapter.last) == (at(0), at(41))


def test_a_chapter_tells_what_the_strongest_notes() -> None:
    (chapter,) = story([finding(0, value=12, note="Weak."), finding(20, value=70, note="Strong.")])
    assert chapter.sentence.endswith(" UTC. Strong.")


def test_many_claims_are_counted() -> None:
    (chapter,) = story([finding(0, detector=f"d{n}") for n in range(CLAIM_LIMIT + 2)])
    assert " and 2 more, from" in chapter.sentence
    assert len(chapter.detectors) == CLAIM_LIMIT + 2


def test_what_is_monitored_is_told_only_if_nothing_alerts() -> None:
    monitored = finding(0, detector="quiet", mode="monitor")
    assert [c.detectors for c in story([monitored, ALL[1]])] == [("got_in",)]
    assert [c.detectors for c in story([monitored])] == [("quiet",)]
    assert story([]) == ()


@given(st.permutations(ALL))
def test_the_order_of_findings_does_not_matter(findings: list[Finding]) -> None:
    assert story(findings) == story(ALL)
