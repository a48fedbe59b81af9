"""Detectors that are no rules: what settings may except, and who is excepted until when."""

from dataclasses import replace

import pytest

from detectors.detector import FOREVER, Detector, DetectorSettingsError
from detectors.findings import EntityType
from detectors.naming import name_of
from detectors.overrides import RuleException, RuleOverride
from detectors.registry import CLOCK_SKEW


def detector(kind: EntityType, **fields: str) -> Detector:
    """A detector of things of a type with one exception."""
    exception = RuleException.model_validate({"why": "known", **fields})
    watching = replace(CLOCK_SKEW, entity_type=kind)
    return watching.under(RuleOverride(exceptions=(exception,)))


@pytest.mark.parametrize(
    ("kind", "fields", "entity", "excepted"),
    [
        ("client", {"client": "203.0.113.7"}, "203.0.113.7", True),
        ("client", {"client": "203.0.113.7"}, "203.0.113.70", False),
        ("client", {"network": "203.0.113.0/24"}, "203.0.113.7", True),
        ("client", {"network": "203.0.113.0/24"}, "-", False),
        ("client", {"client": "203.0.113.7", "network": "198.51.100.0/24"}, "203.0.113.7", False),
        ("network", {"network": "203.0.0.0/16"}, "203.0.113.0/24", True),
        ("network", {"network": "203.0.113.0/25"}, "203.0.113.0/24", False),
        ("network", {"network": "203.0.0.0/16"}, "2001:db8::/64", False),
        ("user", {"user": "ann"}, "ann", True),
        ("user", {"user": "an*"}, "ann", False),
        ("api_key", {"api_key": "key-0123456789abcdef"}, "key-0123456789abcdef", True),
        ("route", {"route": "shop GET /items/{id}"}, "shop GET /items/{id}", True),
        ("route", {"route": "shop GET /*"}, "shop GET /items/{id}", True),
        ("route", {"route": "shop POST /*"}, "shop GET /items/{id}", False),
        ("service", {"service": "shop"}, "shop", True),
        ("service", {"service": "shop"}, "shop2", False),
        ("source", {"source": "/var/*"}, "/var/log/x", True),
    ],
)
def test_who_is_excepted(
    kind: EntityType, fields: dict[str, str], entity: str, excepted: bool
) -> None:
    watching = detector(kind, **fields)
    assert watching.excepted_until(entity) == (FOREVER if excepted else None)
    assert watching.excepts(entity, 0) is excepted


def test_an_exception_with_an_end_holds_until_then() -> None:
    watching = detector("user", user="ann", until="1970-01-01T00:00:01Z")
    assert watching.excepts("ann", 999_999)
    assert not watching.excepts("ann", 1_000_000)
    assert not watching.excepts("bob", 0)


def test_a_user_who_is_shown_masked_is_excepted_as_the_log_has_them() -> None:
    watching = detector("user", user="ann@example.org")
    shown = name_of("user", "ann@example.org")
    assert shown != "ann@example.org"
    assert watching.excepts(shown, 0)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("client", {"user": "ann"}, "names a client or a network and nothing else"),
        (
            "api_key",
            {"client": "203.0.113.7"},
            "watches API keys, .* names an api_key",
        ),
        ("route", {"path": "/items"}, "watches routes, so an exception names a route"),
        ("all", {"service": "shop"}, "watches all traffic, which has no exceptions"),
    ],
)
def test_exceptions_that_could_never_hold_are_refused(
    kind: EntityType, fields: dict[str, str], words: str
) -> None:
    with pytest.raises(DetectorSettingsError, match=words):
        detector(kind, **fields)
