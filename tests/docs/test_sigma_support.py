"""What docs/detectors.md says of Sigma's modifiers is what the compiler does."""

import re
from typing import Any

import pytest
from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaRule

from detectors.conditions import UnsupportedConditionError, compile_condition
from detectors.fields import UnknownFieldError
from detectors.placeholders import DEFAULTS, expand
from tests.docs.pages import page

#: A field and a value that suit the modifier; text otherwise.
SUITABLE: dict[str, tuple[str, Any]] = {
    "cidr": ("c-ip", "10.0.0.0/8"),
    "exists": ("cs-host", True),
    "neq": ("sc-status", 200),
    "lt": ("sc-status", 400),
    "lte": ("sc-status", 400),
    "gt": ("sc-status", 400),
    "gte": ("sc-status", 400),
    "fieldref": ("cs-host", "cs-referer"),
    "all": ("cs-uri-stem|contains", ["a", "b"]),
    "i": ("cs-uri-stem|re", "a.c"),
    "m": ("cs-uri-stem|re", "a.c"),
    "s": ("cs-uri-stem|re", "a.c"),
    "wide": ("cs-uri-stem", "abc"),
    "expand": ("cs-uri-stem", "%login_paths%"),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), ("timestamp", 3)),
}


def documented(row: str) -> list[str]:
    text = page("detectors.md")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    return re.findall(r"`([a-z0-9]+)`", line)


def compiles(modifier: str) -> bool:
    field, value = SUITABLE.get(modifier, ("cs-uri-stem", "/abc"))
    rule = {
        "title": "one modifier",
        "logsource": {"category": "webserver"},
        "detection": {"selection": {f"{field}|{modifier}": value}, "condition": "selection"},
    }
    try:
        parsed = SigmaRule.from_dict(rule)
        expand(parsed, {})
        for condition in parsed.detection.parsed_condition:
            compile_condition(condition.parsed)
    except (SigmaError, UnsupportedConditionError, UnknownFieldError):
        return False
    return True


@pytest.mark.parametrize("modifier", documented("modifiers"))
def test_modifier_is_supported(modifier: str) -> None:
    assert compiles(modifier)


def test_every_modifier_is_documented() -> None:
    longer = {"dotall": "s", "ignorecase": "i", "multiline": "m"}
    assert {longer.get(name, name) for name in modifier_mapping} <= set(documented("modifiers"))


def test_a_placeholder_of_ours_is_documented() -> None:
    text = page("detectors.md").partition("### Placeholders")[2].partition("\n###")[0]
    assert set(DEFAULTS) <= set(re.findall(r"`([a-z_]+)`", text))
