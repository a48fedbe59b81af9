"""Leaps that only coordinates show: within a country, or to one that is near."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from detectors.findings import Finding
from detectors.learned.places import Places
from tests.detectors.learned.places_streams import (
    DAY,
    HOUR,
    MINUTE,
    at_home,
    away,
    days,
    run,
)
from tests.detectors.streams import event, frame, micros, told

NEW_YORK: dict[str, Any] = {
    "user": "ann",
    "country": "US",
    "client_network": "198.51.100.0/24",
    "location": "40.7,-74.0,28",
    "asn": 64_501,
}
LOS_ANGELES: dict[str, Any] = NEW_YORK | {
    "client_network": "203.0.113.0/24",
    "location": "34.1,-118.2,28",
    "asn": 64_502,
}


def east(seconds: float, **fields: Any) -> dict[str, Any]:
    return event(seconds, **(NEW_YORK | fields))


def west(seconds: float, **fields: Any) -> dict[str, Any]:
    return event(seconds, **(LOS_ANGELES | fields))


def days_east(count: int, **fields: Any) -> list[dict[str, Any]]:
    return days(count, **(NEW_YORK | fields))


def test_two_coasts_of_one_country_within_minutes() -> None:
    leap = [east(5 * DAY), west(5 * DAY + 12 * MINUTE)]
    (found,) = run([*days_east(5), *leap])
    assert (found.detector, found.entity) == ("user_impossible_travel", "ann")
    assert found.note.startswith(
        "From US (40.7, -74.0) to US (34.1, -118.2) within 12 min: at least 3,8"
    )
    assert " km by coordinates, " in found.note
    assert found.note.endswith("; confidence medium")
    bare: dict[str, Any] = {"location": None}
    assert run([*days_east(5, **bare), *(e | bare for e in leap)]) == []


def test_operators_that_are_not_known_make_it_less_sure() -> None:
    bare: dict[str, Any] = {"asn": None}
    (found,) = run([*days_east(5, **bare), east(5 * DAY, **bare), west(5 * DAY + 60, **bare)])
    assert found.note.endswith("; confidence low")


def test_a_traveller_within_a_country_stays_silent() -> None:
    assert run([*days_east(5), east(5 * DAY), west(5 * DAY + 8 * HOUR)]) == []


def test_one_operators_addresses_are_no_leap() -> None:
    """A telephone company's addresses are anywhere in its country."""
    phone = [*days_east(5), east(5 * DAY), west(5 * DAY + 60, asn=64_501)]
    assert run(phone) == []
    same: dict[str, Any] = {"asn": None, "client_network": "198.51.100.0/24"}
    assert run([*days_east(5, **same), east(5 * DAY, **same), west(5 * DAY + 60, **same)]) == []


def test_an_operator_that_is_usual_is_no_leap() -> None:
    """A telephone beside the line at home; today its address is on the other coast."""
    phone = [east(day * DAY + 4 * HOUR, asn=64_502) for day in range(5)]
    assert run([*days_east(5), *phone, east(5 * DAY), west(5 * DAY + 60)]) == []


def test_a_place_that_is_usual_is_no_leap() -> None:
    office = [west(day * DAY + 10 * HOUR, asn=64_503) for day in range(5)]
    assert run([*days_east(5), *office, east(5 * DAY), west(5 * DAY + 60)]) == []


@pytest.mark.parametrize(("towns", "expected"), [(3, 1), (20, 0)])
def test_who_is_at_home_nowhere_does_not_leap(towns: int, expected: int) -> None:
    """Towns around New York, too near to be leaps; more of them than are remembered."""
    tour = [
        east(
            n % 5 * DAY + (9 + n // 5) * HOUR,
            location=f"{37 + n % 4 * 2}.0,{-75 - n // 4 * 2}.0,600",
        )
        for n in range(towns)
    ]
    assert len(run([*days_east(5), *tour, east(5 * DAY), west(5 * DAY + 60)])) == expected


@pytest.mark.parametrize("anonymous", ["vpn", "hosting"])
def test_anonymisers_within_a_country_are_no_places(anonymous: str) -> None:
    assert run([*days_east(5), east(5 * DAY), west(5 * DAY + 60, anonymous=anonymous)]) == []


def test_coordinates_that_are_vague_are_no_leap() -> None:
    """3,900 km apart, each end within 1,800: they may be 300 km apart."""
    vague = [e | {"location": e["location"].replace(",28", ",1800")}
             for e in (*days_east(5), east(5 * DAY), west(5 * DAY + 60))]  # fmt: skip
    assert run(vague) == []


def test_coordinates_that_came_with_an_upgrade_are_learned_first() -> None:
    bare = days_east(5, location=None)
    for since, expected in ((4, 0), (3, 0), (2, 1)):
        leap = [east(5 * DAY), west(5 * DAY + 60)]
        seen = [e | {"location": "40.7,-74.0,28"} if n >= 6 * since else e
                for n, e in enumerate(bare)]  # fmt: skip
        assert len(run([*seen, *leap])) == expected


def test_countries_that_are_far_apart_are_judged_as_before() -> None:
    """The operator being one explains no leap over an ocean; coordinates say how far it was."""
    there = away(5 * DAY + 60, location="-23.5,-46.6,28", asn=64_501)
    leap = [at_home(5 * DAY, location="52.5,13.4,28", asn=64_501), there]
    (found,) = run([*days(5), *leap])
    assert found.note.startswith("From DE (52.5, 13.4) to BR (-23.5, -46.6) within 1 min: ")
    assert found.note.endswith("; confidence high")
    (mixed,) = run([*days(5), at_home(5 * DAY), there])
    assert mixed.note.startswith("From DE to BR within 1 min: at least 6,")
    assert "by coordinates" not in mixed.note


def test_vague_coordinates_do_not_hide_how_far_countries_are_apart() -> None:
    """Of two distances that are the least there can be, the greater one holds."""
    leap = [
        at_home(5 * DAY, location="52.5,13.4,3000", asn=64_501),
        away(5 * DAY + 60, location="-23.5,-46.6,3000", asn=64_502),
    ]
    (found,) = run([*days(5), *leap])
    assert found.note.startswith("From DE to BR within 1 min: at least 6,")


def cut(events: Sequence[dict[str, Any]], size: int) -> list[Finding]:
    """Find in batches of so many events what there is."""
    ordered = sorted(events, key=lambda e: e["effective_time"])
    judge, found = Places(), []
    for begin, end in pairwise([*range(0, len(ordered), size), len(ordered)]):
        part = ordered[begin:end]
        mark = micros(part[-1]["effective_time"]) - 5_000_000
        found += judge.judge(judge.aggregate(frame(part)), mark)
    return found + judge.finish()


def operators(count: int, at: float, step: float) -> list[dict[str, Any]]:
    """Arrivals on the east coast, each over another operator."""
    return [
        east(at + n * step, asn=64_600 + n, client_network=f"192.0.{n}.0/24") for n in range(count)
    ]


@pytest.mark.parametrize("proxies", [1, 14, 16, 40])
def test_a_thief_with_many_operators_does_not_hide_the_leap(proxies: int) -> None:
    """Whoever is at home nowhere was so before the day."""
    thief = [
        west(5 * DAY + 12 * MINUTE + n, asn=65_000 + n, client_network=f"10.1.{n}.0/24")
        for n in range(proxies)
    ]
    assert [f.entity for f in run([*days_east(5), east(5 * DAY), *thief])] == ["ann"]


@pytest.mark.parametrize(("before", "expected"), [(13, 1), (15, 0)])
def test_operators_that_come_later_that_day_change_nothing(before: int, expected: int) -> None:
    """One fewer, and as many, as are remembered, with that at home."""
    tour = [e for day in range(5) for e in operators(before, day * DAY + 9 * HOUR, HOUR)]
    leap = [east(5 * DAY), west(5 * DAY + 12 * MINUTE)]
    later = operators(before + 3, 5 * DAY + 9 * HOUR, HOUR)
    events = [*days_east(5), *tour, *leap, *later]
    whole = cut(events, len(events))
    assert len(whole) == expected
    assert told(cut(events, 7)) == told(whole)


def test_which_of_two_leaps_as_fast_is_told_does_not_depend_on_cuts() -> None:
    """There and back again: as far, and as fast."""
    events = []
    for number in range(20):
        user = {"user": f"user{number}"}
        there = f"203.0.{number}.0/24"
        events += [east(day * DAY + number, **user) for day in range(5)]
        at = 5 * DAY + number % 3 * 600 + number * 0.3
        events += [
            east(at, **user),
            west(at + 20, client_network=there, **user),
            east(at + 40, client_network="192.0.2.0/24", asn=64_509, **user),
        ]
    whole = cut(events, len(events))
    assert len(whole) == 20
    for size in (11, 50):
        assert told(cut(events, size)) == told(whole)


def wandering(count: int) -> list[dict[str, Any]]:
    """From coast to coast in minutes, each day over another operator to another town."""
    return [
        west(
            day * DAY + HOUR,
            asn=64_600 + day,
            client_network=f"203.0.{day}.0/24",
            location=f"34.{day},-{100 + 4 * day}.2,28",
        )
        for day in range(5 - count, 5)
    ]


@pytest.mark.parametrize(("leaps", "expected"), [(2, 1), (3, 0)])
def test_who_leaps_every_day_is_no_news(leaps: int, expected: int) -> None:
    found = run([*days_east(5), *wandering(leaps), east(5 * DAY), west(5 * DAY + 60)])
    assert len([f for f in found if f.last >= event(5 * DAY)["effective_time"]]) == expected


def test_who_leaps_within_a_country_every_day_does_not_leap_over_oceans() -> None:
    ocean = away(5 * DAY + 60, location="-23.5,-46.6,28", asn=64_999)
    found = run([*days_east(5), *wandering(5), east(5 * DAY), ocean])
    (last,) = [f for f in found if f.last >= event(5 * DAY)["effective_time"]]
    assert last.note.startswith("From US (40.7, -74.0) to BR (-23.5, -46.6) within 1 min: ")


def test_an_exit_that_others_leap_to_is_no_news() -> None:
    """Two others were seen over the same network of the other coast on a day before."""
    others = [
        e | {"user": user}
        for user in ("bob", "eve")
        for e in (*days_east(4), east(4 * DAY), west(4 * DAY + 60))
    ]
    assert [f.entity for f in run(others)] == ["bob", "eve"]
    ann = [*days_east(5), east(5 * DAY), west(5 * DAY + 60)]
    assert {f.entity for f in run([*others, *ann])} == {"bob", "eve"}
