"""Inhibition never hides what is worse, nor an incident behind itself or its equal."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.views import IncidentView
from alerts.muting.inhibition import EqualField, Inhibition, InhibitRule
from alerts.routing.matchers import Matchers

from .examples import INCIDENT, LEVELS, incident, incidents, matchers

SOURCE = incident(id=1, entity_type="network", entity="203.0.113.0/24", severity="high")
NETWORKS = InhibitRule(
    "one attack",
    Matchers(entity_type=("network",)),
    Matchers(entity_type=("client",)),
    ("network",),
)


def rules() -> st.SearchStrategy[InhibitRule]:
    some = st.one_of(st.just(Matchers()), matchers())
    fields: tuple[EqualField, ...] = ("entity", "network", "service")
    equal = st.lists(st.sampled_from(fields), max_size=2, unique=True).map(tuple)
    return st.builds(InhibitRule, st.just("r"), some, some, equal, st.booleans())


@given(rules(), incidents(), incidents())
def test_what_mutes_is_open_another_and_no_less_severe(
    rule: InhibitRule, source: IncidentView, view: IncidentView
) -> None:
    if not rule.mutes(source, view):
        return
    assert source.id != view.id
    assert source.status in {"open", "acknowledged"}
    assert rule.severer or LEVELS.index(source.severity) >= LEVELS.index(view.severity)
    assert rule.source.matches(source)
    assert rule.target.matches(view)
    assert not rule.mutes(view, source)


@given(st.lists(rules(), max_size=3), st.lists(incidents(), max_size=4), incidents())
def test_the_first_rule_and_its_first_source_are_named(
    given_rules: list[InhibitRule], sources: list[IncidentView], view: IncidentView
) -> None:
    inhibition = Inhibition(given_rules)
    pairs = [(r, s) for r in given_rules for s in sources if r.mutes(s, view)]
    assert inhibition.inhibitor(view, sources) == (pairs[0] if pairs else None)
    assert inhibition.concerns(view) or not pairs


def test_a_network_s_incident_mutes_those_of_its_clients() -> None:
    assert NETWORKS.mutes(SOURCE, INCIDENT)
    assert not NETWORKS.mutes(SOURCE, incident(entity="203.0.112.7"))
    assert not NETWORKS.mutes(SOURCE, incident(entity_type="user"))
    assert not NETWORKS.mutes(SOURCE, incident(severity="critical"))
    assert not NETWORKS.mutes(incident(id=1), INCIDENT)
    six = incident(id=1, entity_type="network", entity="2001:db8:1:2::/64")
    assert NETWORKS.mutes(six, incident(entity="2001:db8:1:2::7"))
    assert not NETWORKS.mutes(six, incident(entity="2001:db8:1:3::7"))


def test_what_is_more_severe_is_muted_only_if_the_rule_says_so() -> None:
    worse = incident(severity="critical")
    assert not NETWORKS.mutes(SOURCE, worse)
    assert replace(NETWORKS, severer=True).mutes(SOURCE, worse)


def test_sources_that_are_over_mute_nothing() -> None:
    for status in ("resolved", "closed"):
        assert not NETWORKS.mutes(incident(**vars_of(SOURCE), status=status), INCIDENT)
    assert not NETWORKS.mutes(incident(**vars_of(SOURCE), merged_into=3), INCIDENT)


def vars_of(view: IncidentView) -> dict[str, object]:
    return {name: getattr(view, name) for name in ("id", "entity_type", "entity", "severity")}


def test_fields_that_neither_has_do_not_agree() -> None:
    everything = Matchers(detector=("*",))
    rule = InhibitRule("r", Matchers(detector=("a",)), everything, ("service",))
    source, view = incident(id=1, detectors=("a",), services=()), incident(services=())
    assert not rule.mutes(source, view)
    assert rule.mutes(incident(id=1, detectors=("a",)), INCIDENT)
    network = InhibitRule("r", Matchers(detector=("a",)), everything, ("network",))
    users = incident(id=1, detectors=("a",), entity_type="user", entity="ann")
    assert not network.mutes(users, incident(entity_type="user", entity="ann"))


def test_entity_agrees_with_clients_that_take_part() -> None:
    rule = InhibitRule("r", Matchers(detector=("a",)), Matchers(detector=("login_*",)), ("entity",))
    attack = incident(
        id=1, detectors=("a",), entity_type="route", entity="x", members=("203.0.113.7",)
    )
    assert rule.mutes(attack, INCIDENT)
    assert not rule.mutes(attack, incident(entity="203.0.113.8"))
    assert not rule.mutes(attack, incident(entity_type="user"))


def test_two_that_are_source_and_target_do_not_silence_each_other() -> None:
    rule = InhibitRule("r", Matchers(service=("shop",)), Matchers(service=("shop",)))
    assert not rule.mutes(incident(id=1), INCIDENT)
    assert not rule.mutes(INCIDENT, incident(id=1))
