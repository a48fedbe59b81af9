"""Attacks that only a model can tell stay below every rule, at every strength."""

from datetime import UTC, datetime, timedelta

from detectors.catalogue import load_catalogue
from detectors.kernel import RuleKernel
from vedette.simulation import INTENSITIES, all_scenarios, batch_frame, simulate

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_no_rule_finds_what_needs_a_model() -> None:
    names = [scenario.name for scenario in all_scenarios() if scenario.needs_model]
    run = simulate(
        5,
        START,
        timedelta(hours=6),
        requests_per_second=0.2,
        scenarios=names,
        intensities=INTENSITIES,
    )
    assert len(run.truth) == 3 * 5 + 3
    kernel = RuleKernel(load_catalogue())
    found = kernel.judge(kernel.aggregate(batch_frame(run.events)), None) + kernel.finish()
    theirs = {entity for truth in run.truth for entity in truth.entities}
    assert [each for each in found if (each.entity_type, each.entity) in theirs] == []
