"""Matchers do what their words say: compared with an oracle that knows no shortcuts."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.incidents.views import IncidentView
from alerts.routing.matchers import Matchers, literal

from .examples import INCIDENT, LEVELS, incident, incidents, matchers


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern of * and ? is a value: letter by letter, whatever their case."""
    if not pattern:
        return not value
    if pattern[0] == "\\" and pattern[1:2] in {"*", "?", "\\"}:
        return value[:1] == pattern[1] and matches(pattern[2:], value[1:])
    if pattern[0] == "*":
        return any(matches(pattern[1:], value[start:]) for start in range(len(value) + 1))
    return bool(value) and pattern[0] in {"?", value[0]} and matches(pattern[1:], value[1:])


def within(pattern: str, value: str) -> bool:
    """Whether all addresses of the value are among those of the pattern."""
    try:
        outer, inner = ip_network(pattern, strict=False), ip_network(value, strict=False)
    except ValueError:
        return False
    ends = (inner.network_address, inner.broadcast_address)
    return outer.version == inner.version and all(ip_address(end) in outer for end in ends)


def oracle(wanted: Matchers, view: IncidentView) -> bool:
    level = LEVELS.index(view.severity)
    said: list[bool] = []
    if wanted.severity:
        said.append(view.severity in wanted.severity)
    if wanted.severity_min:
        said.append(level >= LEVELS.index(wanted.severity_min))
    for patterns, values in (
        (wanted.detector, view.detectors),
        (wanted.service, view.services),
        (wanted.entity_type, (view.entity_type,)),
        (wanted.tag, view.tags),
        (wanted.label, view.labels),
    ):
        if patterns:
            said.append(any(matches(p.lower(), v.lower()) for p in patterns for v in values))
    if wanted.entity:
        name = view.entity.lower()
        said.append(any(matches(p.lower(), name) or within(p, name) for p in wanted.entity))
    return all(said)


@given(matchers(), incidents())
def test_matchers_say_what_the_oracle_says(wanted: Matchers, view: IncidentView) -> None:
    assert wanted.matches(view) == oracle(wanted, view)
    assert (wanted.mismatch(view) is None) == oracle(wanted, view)


@given(matchers())
def test_what_is_written_is_read_back(wanted: Matchers) -> None:
    assert Matchers.model_validate(wanted.written()) == wanted
    assert wanted.empty == (wanted == Matchers())


@given(matchers(), incidents())
def test_no_incident_below_the_least_severity_matches(wanted: Matchers, view: IncidentView) -> None:
    if wanted.matches(view):
        assert LEVELS.index(view.severity) >= LEVELS.index(wanted.least.label)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, True),
        ({"detector": "login_*"}, True),
        ({"detector": "LOGIN_BURST"}, True),
        ({"detector": ["x", "request_rate"]}, True),
        ({"detector": "login"}, False),
        ({"detector": "login_*", "service": "payments"}, False),
        ({"severity": ["low", "high"]}, True),
        ({"severity_min": "critical"}, False),
        ({"entity": "203.0.113.0/24"}, True),
        ({"entity": "203.0.113.99/24"}, True),
        ({"entity": "203.0.113.7"}, True),
        ({"entity": "203.0.112.0/24"}, False),
        ({"entity": "2001:db8::/32"}, False),
        ({"tag": "attack.t1110*"}, True),
        ({"label": "known", "entity_type": "client"}, True),
        ({"label": "other"}, False),
    ],
)
def test_examples(wanted: dict[str, object], expected: bool) -> None:
    assert Matchers.model_validate(wanted).matches(INCIDENT) is expected


_SIGNS = st.text("*?\\[]!ab", max_size=8)


@given(_SIGNS.filter(bool), _SIGNS)
def test_signs_in_names_and_patterns_say_what_the_oracle_says(pattern: str, name: str) -> None:
    assert Matchers(label=(pattern,)).matches(incident(labels=(name,))) == matches(pattern, name)


@given(_SIGNS.filter(bool), _SIGNS)
def test_a_literal_name_is_that_name_alone(name: str, other: str) -> None:
    wanted = Matchers(entity=(literal(name),))
    assert wanted.matches(incident(entity=name))
    assert wanted.matches(incident(entity=other)) == (name == other)


def test_a_name_of_wildcards_is_not_everybody() -> None:
    """Failed when the page silenced the user `*`, and so everybody."""
    assert literal("*") == r"\*"
    assert not Matchers(entity=(literal("*"),)).matches(INCIDENT)
    assert (literal("CORP\\mia"), literal("203.0.113.7")) == ("CORP\\mia", "203.0.113.7")


def test_addresses_are_compared_as_addresses() -> None:
    view = incident(entity="2001:db8::7")
    assert Matchers(entity=("2001:0DB8:0:0::7",)).matches(view)
    assert Matchers(entity=("2001:db8::/64",)).matches(view)
    assert Matchers(entity=("203.0.0.0/16",)).matches(incident(entity="203.0.113.0/24"))
    assert not Matchers(entity=("203.0.113.7",)).matches(incident(entity="203.0.113.0/24"))


def test_a_route_s_name_with_a_slash_is_no_network() -> None:
    assert Matchers(entity=("shop GET /orders/*",)).matches(incident(entity="shop GET /orders/5"))


def test_brackets_are_themselves() -> None:
    assert Matchers(label=("team[a]*",)).matches(incident(labels=("Team[A]-2",)))
    assert not Matchers(label=("team[a]",)).matches(incident(labels=("teama",)))


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"detektor": "x"}, "detektor"),
        ({"severity": "hihg"}, "severity"),
        ({"severity_min": "hihg"}, "severity_min"),
        ({"entity": "203.0.113.0/33"}, "is no network"),
        ({"entity": ""}, "1 to 512 characters"),
        ({"tag": "x" * 513}, "1 to 512 characters"),
        ({"tag": ["x"] * 201}, "at most 200"),
    ],
)
def test_mistakes_are_refused(wanted: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Matchers.model_validate(wanted)


def test_the_first_mismatch_is_told() -> None:
    wanted = Matchers(severity_min="critical", detector=("x",))
    assert wanted.mismatch(INCIDENT) == "severity high is below critical"
    wanted = Matchers(detector=("x", "y*"))
    assert wanted.mismatch(INCIDENT) == "detector is not x or y*"
    assert str(wanted) == "detector=x|y*"
    assert str(Matchers()) == "everything"
