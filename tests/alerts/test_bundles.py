"""Which notifications go together, and when; how many messages a target takes."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.routes import Route
from alerts.sending.bundles import KEY_LIMIT, Bundle, Pace, Past, Waiting, bundles_of, group_key
from tests.alerts.sending import MINUTE, NOW, SECOND, target
from tests.alerts.test_judging import INCIDENT

ROUTE = Route("all", ("ops",), group_wait=30 * SECOND, group_interval=5 * MINUTE)


def test_groups_are_named_by_what_the_route_groups_by() -> None:
    assert group_key(ROUTE, INCIDENT) == "route=all incident=7"
    by_detector = replace(ROUTE, group_by=("detector", "severity"))
    other = replace(INCIDENT, id=8, entity="198.51.100.9")
    assert group_key(by_detector, INCIDENT) == "route=all detector=recon severity=medium"
    assert group_key(by_detector, INCIDENT) == group_key(by_detector, other)
    assert group_key(replace(ROUTE, group_by=()), other) == "route=all"


def test_long_names_are_cut_and_stay_apart() -> None:
    by_entity = replace(ROUTE, group_by=("entity",))
    one, other = (group_key(by_entity, replace(INCIDENT, entity="x" * 5_000 + end)) for end in "ab")
    assert len(one) == len(other) == KEY_LIMIT
    assert one != other


def test_a_new_group_waits_from_its_first_notification() -> None:
    waiting = Waiting()
    assert waiting.ready_at("g", ROUTE, NOW, None) == NOW + 30 * SECOND
    assert waiting.ready_at("g", ROUTE, NOW + 20 * SECOND, None) == NOW + 30 * SECOND
    waiting.forget(["g"], NOW)
    assert waiting.ready_at("g", ROUTE, NOW + 20 * SECOND, None) == NOW + 50 * SECOND


def test_a_group_that_was_told_waits_for_its_interval() -> None:
    past = Past(last_sent=NOW)
    assert Waiting().ready_at("g", ROUTE, NOW + 1 * SECOND, past) == NOW + 5 * MINUTE


def test_a_group_does_not_overtake_its_own_message() -> None:
    past = Past(last_sent=None, under_way_until=NOW + MINUTE)
    assert Waiting().ready_at("g", ROUTE, NOW, past) == NOW + MINUTE


def test_more_groups_than_may_be_sent_are_one_digest() -> None:
    ready = {str(number): Bundle(str(number), [number, number + 10], 1) for number in range(4)}
    assert bundles_of(ready, 4) == list(ready.values())
    (digest,) = bundles_of(ready, 3)
    assert digest.digest
    assert sorted(digest.rows) == [0, 1, 2, 3, 10, 11, 12, 13]
    assert digest.incidents == 4


def test_attempts_of_before_a_restart_count() -> None:
    pace = Pace(target("ops", max_messages=2, per=MINUTE), [NOW - 50 * SECOND, NOW - SECOND])
    assert pace.left(NOW) == 0
    assert pace.left(NOW + 11 * SECOND) == 1


def test_a_receiver_that_asks_for_peace_gets_it() -> None:
    pace = Pace(target("ops"))
    pace.pause(NOW + MINUTE)
    pace.pause(NOW + SECOND)
    assert pace.left(NOW + MINUTE - SECOND) == 0
    assert pace.left(NOW + MINUTE) > 0


@given(
    limit=st.integers(1, 8),
    gaps=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), max_size=60),
)
def test_no_target_is_sent_more_than_it_takes(limit: int, gaps: list[tuple[int, int]]) -> None:
    """Whatever becomes ready when: never more than max_messages within `per`."""
    pace = Pace(target("ops", max_messages=limit, per=MINUTE))
    now, sent = NOW, []
    for seconds, groups in gaps:
        now += seconds * SECOND
        ready = {str(number): Bundle(str(number), [number], 1) for number in range(groups)}
        for bundle in bundles_of(ready, pace.left(now)):
            if pace.left(now):
                pace.began(now, digest=bundle.digest)
                sent.append(now)
    for at in sent:
        assert sum(at - timedelta(minutes=1) < other <= at for other in sent) <= limit
