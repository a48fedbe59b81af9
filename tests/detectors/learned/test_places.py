"""Impossible travel, and countries that services should not answer."""

from itertools import combinations, pairwise
from math import asin, atan2, cos, degrees, pi, radians, sin
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from detectors.findings import Level
from detectors.learned.places import CountrySettings, Places
from detectors.learned.places.coordinates import kilometres, place
from detectors.learned.places.outlines import EARTH_KM, Circle, apart, circles, distance
from detectors.overrides import RuleException, RuleOverride
from ingest.location import location_of
from tests.detectors.learned.places_streams import (
    DAY,
    HOUR,
    MINUTE,
    at_home,
    away,
    days,
    family,
    run,
    streams,
    tiny,
)
from tests.detectors.streams import event, frame, micros, told


def test_two_continents_within_minutes() -> None:
    found = run([*days(5), at_home(5 * DAY), away(5 * DAY + 12 * MINUTE)])
    (finding,) = found
    assert finding.detector == "user_impossible_travel"
    assert (finding.entity_type, finding.entity, finding.level) == ("user", "ann", Level.MEDIUM)
    assert finding.value > 30_000
    assert finding.note.startswith("From DE to BR within 12 min: at least 6,")
    assert finding.note.endswith("; confidence high")
    assert [row.country for row in finding.evidence] == ["DE", "BR"]


def test_an_api_key_is_watched_like_a_user() -> None:
    key: dict[str, Any] = {"user": None, "api_key": "key-1"}
    (found,) = run([*days(5, **key), at_home(5 * DAY, **key), away(5 * DAY + 60, **key)])
    assert found.detector == "api_key_impossible_travel"


@pytest.mark.parametrize("hours", [8, 11])
def test_a_traveller_with_hours_between_stays_silent(hours: int) -> None:
    assert run([*days(5), at_home(5 * DAY), away(5 * DAY + hours * HOUR)]) == []


def test_a_telephone_that_switches_network_stays_silent() -> None:
    phone = [
        at_home(5 * DAY + n * 20, asn=3320 + n % 2, client_network=f"198.51.{n % 2}.0/24")
        for n in range(20)
    ]
    assert run([*days(5), *phone]) == []


def test_somebody_who_works_across_the_border_stays_silent() -> None:
    across = [at_home(5 * DAY + n * 60, country=["DE", "FR", "LU"][n % 3]) for n in range(20)]
    assert run([*days(5), *across]) == []


@pytest.mark.parametrize("anonymous", ["tor", "vpn", "proxy", "residential_proxy", "hosting"])
def test_addresses_that_hide_people_are_no_places(anonymous: str) -> None:
    hidden = [away(5 * DAY + 30 + n * 60, anonymous=anonymous) for n in range(5)]
    seen = [at_home(5 * DAY + n * 60) for n in range(5)]
    assert run([*days(5), *seen, *hidden]) == []


def test_a_vpn_that_others_use_every_day_stays_silent() -> None:
    def commute(user: str, day: int) -> list[dict[str, Any]]:
        own = f"192.0.2.{len(user)}/32"
        return [
            at_home(day * DAY, user=user, client_network=own),
            away(day * DAY + 60, user=user),
        ]

    others = [e for user in ("bob", "carol") for day in range(5) for e in commute(user, day)]
    first = [at_home(5 * DAY), away(5 * DAY + 60)]
    assert "ann" not in {found.entity for found in run([*days(5), *others, *first])}
    alone = [e for e in others if e["user"] == "bob"]
    assert "ann" in {found.entity for found in run([*days(5), *alone, *first])}


def test_both_countries_usual_stays_silent() -> None:
    """Somebody's own VPN: the other country was there on earlier days, hours later."""
    evenings = [away(day * DAY + 10 * HOUR) for day in range(5)]
    assert run([*days(5), *evenings, at_home(5 * DAY), away(5 * DAY + 60)]) == []


def test_a_fleet_in_several_countries_stays_silent() -> None:
    lands = ["DE", "BR", "US", "JP", "AU"]
    fleet = [
        event(
            day * DAY + n * 30,
            api_key="key-1",
            country=lands[n % len(lands)],
            client_network=f"198.51.{n % 5}.0/24",
        )
        for day in range(6)
        for n in range(40)
    ]
    found = run([*fleet, event(5 * DAY + 1_185, api_key="key-1", country="ZA")])
    assert [f for f in found if f.first.day > 6] == []


def test_who_is_hardly_known_is_not_judged() -> None:
    assert run([*days(2), at_home(2 * DAY), away(2 * DAY + 60)]) == []


def test_refused_requests_are_not_travel() -> None:
    assert run([*days(5), at_home(5 * DAY), away(5 * DAY + 60, status=401)]) == []


def test_an_exception_names_the_user() -> None:
    spared = {"user_impossible_travel": RuleOverride(
        exceptions=(RuleException(user="ann", why="tests a VPN"),)
    )}  # fmt: skip
    leap = [at_home(5 * DAY), away(5 * DAY + 60)]
    assert run([*days(5), *leap], Places(spared)) == []


def test_the_limit_is_a_speed() -> None:
    slow = [*days(5), at_home(5 * DAY), away(5 * DAY + 5 * HOUR)]
    assert len(run(slow)) == 1
    assert run(slow, Places({"user_impossible_travel": RuleOverride(threshold=2_000)})) == []


BLOCKING = CountrySettings(
    blocked=(
        "KP",
        "RU",
    )
)


def test_a_blocked_country_that_is_answered() -> None:
    asked = [
        event(n, service="shop", country=["KP", "RU"][n % 3 == 0], client_ip=f"203.0.113.{n}")
        for n in range(6)
    ]
    refused = event(9, service="shop", country="KP", status=403)
    (found,) = run([*asked, refused, event(3, service="shop", country="DE")], Places({}, BLOCKING))
    assert (found.detector, found.entity_type, found.entity) == (
        "blocked_country",
        "service",
        "shop",
    )
    assert (found.value, found.level) == (6, Level.HIGH)
    assert found.note == "Requests within the hour: 4 from KP, 2 from RU"
    assert found.members == {f"203.0.113.{n}" for n in range(6)}


def test_without_a_service_it_is_about_all_traffic() -> None:
    (found,) = run([event(0, country="KP")], Places({}, BLOCKING))
    assert (found.entity_type, found.entity) == ("all", "all")


def test_hosters_and_anonymisers_are_in_a_country_for_services() -> None:
    assert len(run([event(0, country="KP", anonymous="hosting")], Places({}, BLOCKING))) == 1


def test_a_country_that_is_not_expected() -> None:
    expecting = CountrySettings(
        expected=(
            "DE",
            "AT",
        ),
        blocked=("KP",),
    )
    asked = [event(n * 120, service="shop", country=["US", "DE", "KP"][n % 3]) for n in range(75)]
    found = run(asked, Places({}, expecting))
    assert {f.detector: f.value for f in found} == {"blocked_country": 10}
    few = Places({"unexpected_country": RuleOverride(threshold=5)}, expecting)
    assert {f.detector: f.value for f in run(asked, few)}["unexpected_country"] == 10


def served(count: int, each: int = 30) -> list[dict[str, Any]]:
    return [
        event(day * DAY + n * 60, service="shop", country=["DE", "AT"][n % 2])
        for day in range(count)
        for n in range(each)
    ]


def test_a_new_country_of_a_service() -> None:
    asked = [event(8 * DAY + n * 60, service="shop", country="VN") for n in range(25)]
    (found,) = run([*served(8), *asked])
    assert (found.detector, found.entity, found.value) == ("service_new_country", "shop", 25)
    assert found.note == "Requests within the hour: 25 from VN"
    again = [event(9 * DAY + n * 60, service="shop", country="VN") for n in range(25)]
    assert len(run([*served(8), *asked, *again])) == 1


def test_few_requests_from_a_new_country_are_no_news() -> None:
    asked = [event(8 * DAY + n * 60, service="shop", country="VN") for n in range(19)]
    assert run([*served(8), *asked]) == []


def test_a_service_that_the_whole_world_uses_has_no_new_country() -> None:
    few = CountrySettings(usual=2)
    asked = [event(8 * DAY + n * 60, service="shop", country="VN") for n in range(25)]
    assert run([*served(8), *asked], Places({}, few)) == []


def test_labels_that_are_not_reliable_judge_no_travel_and_wake_nobody() -> None:
    places = Places({}, BLOCKING, country_is_bundled=True)
    leap = [*days(5), at_home(5 * DAY), away(5 * DAY + 60), event(5 * DAY + 90, country="KP")]
    (found,) = run(leap, places)
    assert (found.detector, found.mode) == ("blocked_country", "monitor")
    assert set(places.detectors) == {"blocked_country", "service_new_country"}
    assert BLOCKING.given(bundled=False).reliable is True
    assert CountrySettings(reliable=True).given(bundled=True).reliable is True


def test_a_country_that_is_none_is_refused_with_a_hint() -> None:
    with pytest.raises(ValidationError, match="is no country: write GB"):
        CountrySettings(blocked=("UK",))
    assert CountrySettings(blocked=("kp",)).blocked == ("KP",)


def test_caps_hold() -> None:
    crowd = [
        event(n * 60.0, user=f"user{n}", service=f"s{n}", country=["DE", "BR"][n % 2])
        for n in range(40)
    ]
    places = tiny()
    run(crowd, places)
    parts = places.snapshot()
    assert parts["travellers"].height <= 2
    assert parts["last"].height <= 2
    assert parts["services"].height <= 1
    assert places.evicted >= 70


def test_a_state_of_another_version_begins_anew() -> None:
    parts = dict(Places().snapshot())
    parts["state"] = parts["state"].with_columns(version=pl.lit(99, pl.Int64))
    assert Places().restore(parts) == list(Places().detectors)


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
        mark = micros(events[end - 1]["effective_time"]) - 5_000_000 if end else None
        found += judge.judge(judge.aggregate(frame(events[begin:end])), mark)
        parts, judge = judge.snapshot(), make()
        assert judge.restore(parts) == []
    found += judge.finish()
    assert told(found) == told(whole)


def test_streams_make_it_find_something() -> None:
    leap = [at_home(2 * DAY), away(2 * DAY + 60), event(2 * DAY + 90, country="KP")]
    found = run([*days(2), *leap], family())
    assert {"user_impossible_travel", "blocked_country"} <= {f.detector for f in found}


def test_countries_are_as_far_apart_as_they_are() -> None:
    assert apart("DE", "FR") == apart("US", "MX") == apart("US", "CA") == 0
    assert 3_000 < (apart("US", "GB") or 0) < 4_800
    assert 6_000 < (apart("DE", "BR") or 0) < 8_000
    assert apart("DE", "DE") == 0
    assert apart("DE", "ZZ") is None
    assert len(circles("RU")) > 1


def test_distances_are_symmetric_and_never_more_than_half_the_world() -> None:
    for one, other in combinations(["DE", "NZ", "US", "FJ", "RU", "SG", "ZA"], 2):
        km = apart(one, other)
        assert km == apart(other, one)
        assert km is not None
        assert 0 <= km <= 20_015


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_points_are_apart_by_the_great_circle(a: float, b: float, c: float, d: float) -> None:
    km = distance(Circle(a, b, 0.0), Circle(c, d, 0.0))
    assert 0 <= km <= 20_016
    assert distance(Circle(a, b, 0.0), Circle(a, b, 0.0)) == 0


def test_the_state_of_the_version_before_goes_on() -> None:
    """A part of the new version in it, or one lost on the way, would begin it anew."""
    judge = family()
    seen = [*days(5), at_home(5 * DAY)]
    judge.judge(judge.aggregate(frame(seen)), micros(seen[-1]["effective_time"]) - 5_000_000)
    parts = dict(judge.snapshot())
    assert parts["open"].height
    assert parts["last"].height
    for name in ("open", "last"):
        parts[name] = parts[name].drop("location", "operator")
    parts = {name: part for name, part in parts.items() if not name.startswith("short_")}
    parts["state"] = parts["state"].with_columns(version=pl.lit(1, pl.Int64))
    restored = family()
    assert restored.restore(parts) == []
    found = restored.judge(restored.aggregate(frame([away(5 * DAY + 60)])), None)
    assert [f.entity for f in found + restored.finish()] == ["ann"]


def test_what_is_lost_of_the_version_before_begins_anew() -> None:
    state = Places().snapshot()["state"].with_columns(version=pl.lit(1, pl.Int64))
    assert Places().restore({"state": state}) == list(Places().detectors)


latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)
radii = st.integers(1, 1_000)


@st.composite
def points(draw: st.DrawFn) -> tuple[str, Circle]:
    """A location as geo data give it, and a point within its radius."""
    lat, lon, radius = draw(latitudes), draw(longitudes), draw(radii)
    record = {"location": {"latitude": lat, "longitude": lon, "accuracy_radius": radius}}
    location = location_of(record) or "0.0,0.0,20016"
    bearing, away = draw(st.floats(0, 2 * pi)), draw(st.floats(0, 1)) * radius / EARTH_KM
    one, sine = radians(lat), sin(radians(lat)) * cos(away)
    sine += cos(one) * sin(away) * cos(bearing)
    two = asin(max(-1.0, min(1.0, sine)))
    turn = atan2(sin(bearing) * sin(away) * cos(one), cos(away) - sin(one) * sin(two))
    return location, Circle(degrees(two), lon + degrees(turn), 0.0)


@settings(max_examples=300, deadline=None)
@given(one=points(), other=points())
def test_never_farther_than_any_two_points_within_the_radii(
    one: tuple[str, Circle], other: tuple[str, Circle]
) -> None:
    ends = pl.DataFrame({"one": [one[0]], "other": [other[0]]})
    km = ends.select(kilometres("one", "other")).item()
    assert km == ends.select(kilometres("other", "one")).item()
    assert 0 <= km <= distance(one[1], other[1])


def test_a_place_is_some_two_degrees() -> None:
    where = pl.DataFrame({"at": ["40.7,-74.0,28", "41.9,-73.1,28", "34.1,-118.2,28", None]})
    assert where.select(place("at")).to_series().to_list() == ["20,-37", "20,-37", "17,-60", None]
