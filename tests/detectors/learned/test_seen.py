"""First-seen and rare countries, networks and user agents."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.findings import Finding, Level
from detectors.learned.seen import Seen, SeenSettings
from detectors.learned.seen.agents import OTHER, AgentNames, agent_names
from detectors.overrides import RuleException, RuleOverride
from tests.detectors.learned.seen_streams import family, streams, tiny
from tests.detectors.streams import event, frame, micros, told

DAY = 86_400
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
HOME = {"user": "ann", "country": "DE", "asn": 3320, "user_agent": FIREFOX.format(140)}
AWAY = {"user": "ann", "country": "BR", "asn": 28573, "user_agent": "curl/8"}


def run(events: Iterable[dict[str, Any]], family: Seen | None = None) -> list[Finding]:
    judge = family or Seen()
    found = judge.judge(judge.aggregate(frame(events)), None)
    return found + judge.finish()


def days(count: int, each: int = 12, **fields: Any) -> list[dict[str, Any]]:
    """Requests from home on each of some days."""
    return [
        event(day * DAY + n * 600, **(HOME | fields)) for day in range(count) for n in range(each)
    ]


def test_all_at_once_is_told_more_urgently() -> None:
    (found,) = run([*days(7), event(7 * DAY, **AWAY)])
    assert (found.detector, found.entity, found.value) == ("user_first_seen", "ann", 3)
    assert found.level == Level.MEDIUM
    assert found.note == (
        "Country BR, before DE; network AS28573, before AS3320;"
        " user agent curl, before Firefox on Windows"
    )
    (shown,) = found.evidence
    assert (shown.country, shown.asn) == ("BR", 28573)


def test_after_refusals_it_is_told_more_urgently_still() -> None:
    refused = [event(7 * DAY - 60 - n, user="ann", status=401) for n in range(5)]
    (found,) = run([*days(7), *reversed(refused), event(7 * DAY, **AWAY)])
    assert found.level == Level.HIGH
    assert "5 requests refused within the hour" in found.note


@pytest.mark.parametrize("name", ["country", "asn", "user_agent"])
def test_one_alone_is_told_low(name: str) -> None:
    (found,) = run([*days(7), event(7 * DAY, **(HOME | {name: AWAY[name]}))])
    assert (found.value, found.level) == (1, Level.LOW)


def test_what_comes_bit_by_bit_within_the_hour_counts_together() -> None:
    country = HOME | {"country": "BR"}
    found = run([*days(7), event(7 * DAY, **country), event(7 * DAY + 1800, **AWAY)])
    assert [f.value for f in found] == [1, 3]
    apart = run([*days(7), event(7 * DAY, **country), event(7 * DAY + 7200, **AWAY)])
    assert [f.value for f in apart] == [1, 2]


def test_the_threshold_says_how_much_must_be_new() -> None:
    strict = Seen({"user_first_seen": RuleOverride(threshold=3)})
    assert run([*days(7), event(7 * DAY, **(HOME | {"country": "BR"}))], strict) == []
    strict = Seen({"user_first_seen": RuleOverride(threshold=3)})
    assert len(run([*days(7), event(7 * DAY, **AWAY)], strict)) == 1


def test_nothing_is_new_about_who_is_hardly_known() -> None:
    assert run([*days(4), event(4 * DAY, **AWAY)]) == []
    assert run([*days(7, each=2), event(7 * DAY, **AWAY)]) == []


def test_it_is_told_once() -> None:
    again = [event(7 * DAY + n * 7200, **AWAY) for n in range(4)]
    assert len(run([*days(7), *again, event(9 * DAY, **AWAY)])) == 1


def test_what_was_forgotten_is_new_again() -> None:
    rules = SeenSettings(memory_days=10)
    stay = [event(day * DAY, **HOME) for day in range(8, 30)]
    found = run([*days(7), event(7 * DAY, **AWAY), *stay, event(30 * DAY, **AWAY)], Seen({}, rules))
    assert [f.value for f in found] == [3, 3]


def test_what_was_seen_on_one_day_long_ago_is_rare() -> None:
    stay = [event(day * DAY, **HOME) for day in range(8, 22)]
    found = run([*days(7), event(7 * DAY, **AWAY), *stay, event(22 * DAY, **AWAY)])
    assert [f.value for f in found] == [3, 3]
    assert "(and BR on one day, 15 days ago)" in found[1].note


def test_an_update_of_a_browser_is_no_news() -> None:
    assert run([*days(7), event(7 * DAY, **(HOME | {"user_agent": FIREFOX.format(141)}))]) == []


def test_refused_requests_tell_nothing_about_a_user() -> None:
    assert run([*days(7), event(7 * DAY, **(AWAY | {"status": 401}))]) == []
    (found,) = run(
        [*days(7), event(7 * DAY, **(AWAY | {"status": 403})), event(7.01 * DAY, **AWAY)]
    )
    assert found.value == 3


def test_a_fleet_in_many_countries_is_no_news() -> None:
    lands = ["DE", "FR", "NL", "SE", "GB", "US", "JP"]
    fleet = [
        event(
            day * DAY + n * 60 + (day > 6) * 10,
            api_key="key-1",
            country=lands[n % len(lands)] if day < 7 else "BR",
            asn=[3320, 3215, 1136, 3301, 2856, 7018, 2516][n % len(lands)] if day < 7 else 28573,
            user_agent="okhttp/4.9",
        )
        for day in range(8)
        for n in range(28)
    ]
    assert run(fleet) == []


def test_exits_of_tor_are_one_place() -> None:
    def tor(n: int) -> dict[str, Any]:
        lands = ["DE", "FR", "NL", "SE", "GB", "US", "JP", "BR"]
        return HOME | {"country": lands[n % 8], "asn": 1000 + n, "anonymous": "tor"}

    always = [event(day * DAY + n * 600, **tor(day + n)) for day in range(9) for n in range(12)]
    assert run(always) == []
    first = [*days(7), *(event(7 * DAY + n, **tor(n)) for n in range(8))]
    (found,) = run(first)
    assert "Country through tor" in found.note


def test_geo_data_that_begins_later_is_no_news() -> None:
    blind = days(7, country=None, asn=None)
    assert run([*blind, *(event(day * DAY, **HOME) for day in (7, 8, 9))]) == []


def test_an_exception_names_the_user() -> None:
    spared = RuleException(user="ann", why="travels")
    family = Seen({"user_first_seen": RuleOverride(exceptions=(spared,))})
    assert run([*days(7), event(7 * DAY, **AWAY)], family) == []


def test_a_detector_that_is_switched_off_watches_nobody() -> None:
    family = Seen({"user_first_seen": RuleOverride(enabled=False)})
    assert family.aggregate(frame(days(1))).is_empty()


def test_countries_of_registers_wake_nobody() -> None:
    (found,) = run([*days(7), event(7 * DAY, **AWAY)], Seen(country_is_bundled=True))
    assert found.mode == "monitor"


def test_caps_hold() -> None:
    crowd = [
        event(n * 60.0, user=f"user{n}", country="DE", asn=n, user_agent=f"x{'y' * (n % 9)}/1")
        for n in range(60)
    ]
    family = tiny()
    run(crowd, family)
    parts = family.snapshot()
    assert parts["entities"].height <= 2
    assert parts["values"].height <= 5
    assert family.evicted >= 58


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_crowd_in_one_slot_leaves_the_same_however_it_is_cut(size: int) -> None:
    crowd = [
        event(n % 7, user=f"user{n}", country="DE", status=401 if n % 3 == 0 else 200)
        for n in range(50)
    ]
    agents = [event(9, user="ann", user_agent=f"{'x' * n}/1") for n in range(1, 20)]

    def left(cuts: list[list[dict[str, Any]]]) -> pl.DataFrame:
        family = Seen(slot_cap=5)
        for batch in cuts:
            family.judge(family.aggregate(frame(batch)), None)
        assert family.snapshot()["open"].height <= 30 + size
        family.finish()
        assert family.evicted > 0
        return family.snapshot()["entities"].sort("key")

    events = [*crowd, *agents]
    whole = left([events])
    assert left([events[n : n + size] for n in range(0, len(events), size)]).equals(whole)
    assert whole["key"].n_unique() == 5


def test_a_state_of_another_version_begins_anew() -> None:
    parts = dict(family().snapshot())
    parts["state"] = parts["state"].with_columns(version=pl.lit(99, pl.Int64))
    assert family().restore(parts) == ["user_first_seen", "api_key_first_seen"]
    assert family().restore({}) == ["user_first_seen", "api_key_first_seen"]


@settings(max_examples=30, deadline=None)
@given(
    events=streams(),
    points=st.lists(st.integers(0, 10_000), max_size=8),
    crowded=st.booleans(),
)
def test_cuts_and_restores_change_nothing(
    events: list[dict[str, Any]], points: list[int], *, crowded: bool
) -> None:
    make = tiny if crowded else family
    whole = run(events, make())
    edges = [0, *sorted(point % (len(events) + 1) for point in points), len(events)]
    judge, found = make(), []
    for begin, end in pairwise(edges):
        batch = events[begin:end]
        mark = micros(events[end - 1]["effective_time"]) - 5_000_000 if end else None
        found += judge.judge(judge.aggregate(frame(batch)), mark)
        parts, judge = judge.snapshot(), make()
        assert judge.restore(parts) == []
    found += judge.finish()
    assert told(found) == told(whole)
    assert sorted(f.note for f in found) == sorted(f.note for f in whole)


def test_names_that_are_remembered_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.learned.seen.agents.REMEMBERED", 3)
    names = AgentNames()
    texts = [FIREFOX.format(140), None, "curl/8", "", "curl/9", "okhttp/4", "x" * 5_000]
    for part in (texts[:3], texts, texts[::-1], [None], texts[2:5] * 2):
        agents = pl.Series(part, dtype=pl.String)
        assert names.of(agents).to_list() == agent_names(agents).to_list()


def test_streams_make_it_find_something() -> None:
    events = [*days(3), event(3 * DAY, **AWAY)]
    assert len(run(events, family())) == 1


def test_a_part_that_did_not_change_is_the_same() -> None:
    judge = Seen()
    run(days(7), judge)
    one = judge.snapshot()
    judge.judge(judge.aggregate(frame([event(6 * DAY + 9_000, **HOME)])), None)
    judge.finish()
    two = judge.snapshot()
    assert one["entities"] is two["entities"]
    assert one["values"] is two["values"]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX.format(140), "Firefox on Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
            "Edge on Linux",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Safari/604.1",
         "Safari on iOS"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        ("python-requests/2.32.3", "python-requests"),
        ("curl/8.5.0", "curl"),
        ("okhttp", "okhttp"),
        ("ShopApp 3.2 (build 7)", "ShopApp"),
        ("8f3a", OTHER),
        ("abcdefghijklmnopqrstuvwxyzabcdef", OTHER),
        ("", OTHER),
        ("Mozilla/5.0", OTHER),
        (None, None),
    ],
)  # fmt: skip
def test_names_of_user_agents(agent: str | None, name: str | None) -> None:
    assert agent_names(pl.Series([agent], dtype=pl.String)).to_list() == [name]


@settings(deadline=None)
@given(st.text())
def test_names_hold_no_digits(agent: str) -> None:
    (name,) = agent_names(pl.Series([agent])).to_list()
    assert not any(letter.isdigit() for letter in name)
    assert name.isprintable()
