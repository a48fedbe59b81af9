"""Violating panes as findings: runs of them, with what people read about the rule."""

from collections.abc import Mapping, Sequence

import polars as pl

from detectors.curves import Curve, Point
from detectors.evaluate import runs
from detectors.findings import Evidence, Finding
from detectors.members import Membership, of_run
from detectors.rules import Rule
from ingest.times import moment


def reported(
    rule: Rule,
    violating: pl.DataFrame,
    members: Sequence[Membership],
    evidence: Mapping[str, tuple[Evidence, ...]],
    fingerprint: str,
) -> list[Finding]:
    """Return the runs of a rule's violating panes (`evaluate.violations`) as findings.

    `members` are the clients that were counted, `evidence` what is kept by entity.
    """
    return [
        Finding(
            detector=rule.name,
            entity_type=rule.entity_type,
            entity=run["entity"],
            first=moment(run["first"]),
            last=moment(run["last"]),
            value=run["value"],
            threshold=run["limit"],
            unit=rule.unit,
            window=rule.window,
            level=rule.raised.level if rule.raised and run["raised"] else rule.level,
            mode=rule.mode,
            tags=rule.tags,
            fingerprint=fingerprint,
            evidence=evidence.get(run["entity"], ()),
            members=of_run(members, run["entity"], run["first"], run["last"]),
            reached=moment(run["reached"]),
            curve=Curve.of(map(Point, run["ends"], run["values"], run["limits"])),
        )
        for run in runs(violating, rule.window).iter_rows(named=True)
    ]
