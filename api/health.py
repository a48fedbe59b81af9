"""What the program reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.histogram import Distribution


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether the worker does its work; all but `healthy`, `role` is shown to key holders only.

    `role` is active, starting, or standby: then another process does the work. `problems` says
    what is wrong with sources; `lag` how many records of each topic partition wait to be read,
    `unread` how many bytes of each log; `quarantined` counts lines set aside by reason; `silent`
    are the sources that fell silent; `opened` counts incidents by the severity that they opened
    with, `forgotten` what families of learned detectors forgot because of a cap; `watermark` is
    the event time up to which all sources are complete. `delays` are seconds from the event that
    made an incident open until it was stored, `checkpoints` those that storing a checkpoint took.
    """

    healthy: bool
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    lag: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    role: str = "active"
    silent: tuple[str, ...] = ()
    opened: Mapping[str, int] = field(default_factory=dict)
    forgotten: Mapping[str, int] = field(default_factory=dict)
    watermark: datetime | None = None
    delays: Distribution = field(default_factory=Distribution)
    checkpoints: Distribution = field(default_factory=Distribution)
