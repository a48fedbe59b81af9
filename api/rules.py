"""/api/v1/rules: each rule as it is written, where it comes from, and what became of it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path

from alerts.access.keys import Role
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers

router = APIRouter(prefix=f"{API_PREFIX}/rules", tags=["rules"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "detectors")]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """What is counted, and when that is too much: `threshold` `unit` within `window_seconds`.

    `pane_seconds` is how finely time is cut, `at_once` whether it is told before a pane is over.
    `exceptions` is how many the settings name, `tiers` are those that may do more.
    """

    measure: str
    comparison: str
    threshold: int
    unit: str
    entity_type: str
    window_seconds: float
    pane_seconds: float
    at_once: bool
    level: str
    mode: str
    exceptions: int
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """A rule: `origin` is `built-in`, or `own` for one of the folders of the settings.

    `file` is below that folder, `type` `plain` or that of a correlation. One that does not fire
    is only part of others, or switched off.
    """

    name: str
    id: str | None
    title: str
    type: str
    origin: Literal["built-in", "own"]
    file: str
    line: int
    enabled: bool
    fires: bool


@dataclass(frozen=True, slots=True)
class RuleAnswer(RuleSummary):
    """A rule with its Sigma text; `compiled` as the settings change it, null if it does not fire.

    `placeholders` are the lists that were put in for names in it.
    """

    written: str
    placeholders: dict[str, tuple[str, ...]]
    compiled: CompiledRule | None

    def summary(self) -> RuleSummary:
        """Return what lists say of it."""
        return RuleSummary(
            self.name,
            self.id,
            self.title,
            self.type,
            self.origin,
            self.file,
            self.line,
            self.enabled,
            self.fires,
        )


@router.get("")
def list_all(call: Viewer) -> tuple[RuleSummary, ...]:
    """List all rules, those switched off among them, by name."""
    return tuple(rule.summary() for rule in sorted(call.services.rules(), key=lambda r: r.name))


@router.get("/{name}", responses=answers({404: "No such rule"}))
def read_one(
    call: Viewer,
    name: Annotated[str, Path(max_length=128, examples=["auth_failure_burst"])],
) -> RuleAnswer:
    """Return one rule as it is written, and as it is compiled."""
    for rule in call.services.rules():
        if rule.name == name:
            return rule
    raise HTTPException(404, "there is no such rule")
