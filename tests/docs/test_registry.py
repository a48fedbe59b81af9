"""Every detector that is no rule is complete, and has a runbook."""

import re
from typing import Final
from uuid import UUID

import pytest

from detectors.catalogue import load_catalogue
from detectors.detector import Detector
from detectors.registry import DETECTORS, SHARE_PERCENT
from tests.docs.pages import ROOT, blocks, headings, page

HEADINGS: Final = ("What it means", "How to check", "What to do", "When it is a false alarm")
RUNBOOK_LINES: Final = 60


@pytest.fixture(params=DETECTORS, ids=[detector.name for detector in DETECTORS])
def detector(request: pytest.FixtureRequest) -> Detector:
    found: Detector = request.param
    return found


def test_detector_says_all_that_people_need(detector: Detector) -> None:
    assert UUID(detector.id)
    assert detector.title
    assert detector.description.endswith(".")
    assert detector.falsepositives
    assert any(tag.startswith("attack.t") for tag in detector.tags), "an ATT&CK technique"
    assert any(re.fullmatch(r"owasp\.api\d{1,2}", tag) for tag in detector.tags)


def test_names_are_unique() -> None:
    names = [*(d.name for d in DETECTORS), *(rule.name for rule in load_catalogue().rules)]
    assert len(names) == len(set(names))


def test_runbook_has_its_parts(detector: Detector) -> None:
    assert (ROOT / detector.runbook).is_file()
    text = page(f"runbooks/{detector.name}.md")
    title, *parts = headings(text)
    assert title.startswith(f"{detector.name}: ")
    assert tuple(parts) == HEADINGS
    assert len(text.splitlines()) <= RUNBOOK_LINES


def test_runbook_names_the_limit_and_shows_settings(detector: Detector) -> None:
    text = page(f"runbooks/{detector.name}.md")
    meaning = text.partition("## What it means")[2].partition("## ")[0]
    assert re.search(rf"\b{detector.threshold}\b", meaning)
    if detector.window and detector.entity_type == "source":
        assert f"{SHARE_PERCENT} %" in meaning
    assert f"[[detectors.{detector.name}.exceptions]]" in "\n".join(blocks(text, "toml"))
    assert f"[detectors.{detector.name}]" in text
    assert "threshold = " in text
