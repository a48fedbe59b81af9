"""What the program reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether the worker does its work; `details` are shown to key holders only."""

    healthy: bool
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
