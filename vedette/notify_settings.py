"""Settings of who is told: targets, routes, inhibition, maintenance; checked as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.muting.inhibition import EqualField
from alerts.muting.maintenance import Span, Weekly
from alerts.routing.matchers import Matchers
from alerts.routing.routes import GROUP_FIELDS, INCIDENT
from alerts.routing.target import Format
from detectors.documents import LevelName
from ingest.durations import Duration

#: The name of the target that `notify.url` is.
DEFAULT_TARGET: Final = "default"

#: Characters of a name.
NAME_LIMIT: Final = 64

#: What is told again more often than this is no reminder.
LEAST_REPEAT: Final = timedelta(minutes=1)


class TargetSettings(BaseModel):
    """A receiver of messages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        description="one Apprise URL: slack://, mailto://, json:// and many more"
    )
    min_level: LevelName = Field(default="medium", description="incidents below stay silent")
    format: Format = Field(default="auto", description="auto, text, markdown, html, slack")
    template: Path | None = Field(default=None, description="a Jinja template of your own")
    fallback: str | None = Field(
        default=None, description="the target that is told what this one could not be"
    )
    send_resolved: bool = Field(default=True, description="tell also that it is over")
    max_messages: int = Field(default=20, ge=1, description="within `per`; the rest in one digest")
    per: Duration = Field(default="10m", validate_default=True)

    @field_validator("per")
    @classmethod
    def _lasts(cls, given: timedelta) -> timedelta:
        if given < timedelta(seconds=1):
            raise ValueError("must be a second or longer")
        return given


class NotifyRoute(BaseModel):
    """Which incidents whom, how soon, how bundled, how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="what it is called")
    targets: tuple[str, ...] = Field(min_length=1, description="names of targets")
    match: Matchers = Field(default_factory=Matchers, description="none: every incident")
    proceed: bool = Field(default=False, alias="continue", description="ask later routes, too")
    group_by: tuple[str, ...] = Field(default=(INCIDENT,), description="one message for those")
    group_wait: Duration = Field(default="5s", validate_default=True)
    group_interval: Duration = Field(default="1m", validate_default=True)
    repeat_interval: Duration = Field(default="4h", validate_default=True)
    escalate_after: Duration | None = Field(default=None, description="not acknowledged so long")
    escalate_to: tuple[str, ...] = Field(default=(), description="names of targets")

    @field_validator("group_by")
    @classmethod
    def _is_known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in GROUP_FIELDS:
                known = ", ".join(GROUP_FIELDS)
                raise ValueError(f"{name!r} is nothing to bundle by; known are {known}")
        return given

    @field_validator("repeat_interval")
    @classmethod
    def _is_a_reminder(cls, given: timedelta) -> timedelta:
        if timedelta(0) < given < LEAST_REPEAT:
            raise ValueError("must be a minute or longer, or 0 for never")
        return given

    @model_validator(mode="after")
    def _escalates_to_somebody(self) -> "NotifyRoute":
        if self.escalate_to and not self.escalate_after:
            raise ValueError("escalate_to needs escalate_after: how long to wait before")
        if self.escalate_after is not None and not self.escalate_to:
            raise ValueError("escalate_after needs escalate_to: the targets that are told then")
        return self


class InhibitSettings(BaseModel):
    """Open incidents that mute others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="what it is called")
    source: Matchers = Field(description="the incidents that mute")
    target: Matchers = Field(description="those that are muted")
    equal: tuple[EqualField, ...] = Field(default=(), description="in what both must agree")
    severer: bool = Field(default=False, description="mute also what is more severe")

    @field_validator("source")
    @classmethod
    def _says_which(cls, given: Matchers) -> Matchers:
        if given.empty:
            raise ValueError("must say which incidents mute others: any at all is never meant")
        return given


class MaintenanceSettings(BaseModel):
    """Hours in which nobody is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="what it is called")
    match: Matchers = Field(default_factory=Matchers, description="none: every incident")
    start: datetime | None = Field(default=None, alias="from", description="once: its beginning")
    until: datetime | None = Field(default=None, description="once: its end")
    weekly: tuple[str, ...] = Field(default=(), description="or every week")
    time_zone: str = Field(default="UTC", description="of these times")

    @field_validator("weekly", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("unknown time zone; write it as in Europe/Paris") from None
        return name

    @model_validator(mode="after")
    def _has_times(self) -> "MaintenanceSettings":
        once = (self.start, self.until)
        if bool(self.weekly) == any(once) or (any(once) and not all(once)):
            raise ValueError("needs from and until, or weekly")
        if any(isinstance(span, Span) and span.end <= span.start for span in self.times()):
            raise ValueError("until must be after from")
        return self

    def times(self) -> tuple[Span | Weekly, ...]:
        """Return its times; raises ValueError."""
        zone = ZoneInfo(self.time_zone)
        if self.start is not None and self.until is not None:
            return (Span.between(self.start, self.until, zone),)
        return tuple(Weekly.parse(text, zone) for text in self.weekly)


class NotifySettings(BaseModel):
    """Who is told about incidents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr | None = Field(
        default=None, description="one Apprise URL: slack://, mailto://, json:// and many more"
    )
    min_level: LevelName = Field(default="medium", description="incidents below stay silent")
    max_age: Duration = Field(
        default="1h",
        validate_default=True,
        description="incidents whose last event is older are stored, not sent",
    )
    link: str | None = Field(default=None, description="where people reach the page")
    routes: tuple[NotifyRoute, ...] = Field(default=(), description="none: everybody is told all")

    @field_validator("link")
    @classmethod
    def _is_a_page(cls, given: str | None) -> str | None:
        if given is None:
            return None
        parts = urlsplit(given)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be an address as in https://vedette.example.net")
        if parts.query or parts.fragment or not given.isprintable() or " " in given:
            raise ValueError("must be an address as in https://vedette.example.net, no more")
        return given.rstrip("/")


def check_notifications(
    notify: NotifySettings,
    targets: Mapping[str, TargetSettings],
    inhibit: Sequence[InhibitSettings],
    maintenance: Sequence[MaintenanceSettings],
) -> None:
    """Check what concerns several tables; raises ValueError, which names the place."""
    if notify.url is not None and DEFAULT_TARGET in targets:
        raise ValueError(
            f"targets.{DEFAULT_TARGET}: notify.url is the target of this name; use one of both"
        )
    for name in targets:
        _check_name(f"targets.{name if name.isprintable() else '?'}", name)
    for place, listed in (
        ("notify.routes", notify.routes),
        ("inhibit", inhibit),
        ("maintenance", maintenance),
    ):
        _check_names(place, [table.name for table in listed])
    known = {*targets, *([DEFAULT_TARGET] if notify.url is not None else [])}
    for number, route in enumerate(notify.routes):
        for key, named in (("targets", route.targets), ("escalate_to", route.escalate_to)):
            _check_known(f"notify.routes.{number}.{key}", named, known)
    _check_fallbacks(targets, known)
    _check_used(notify, targets, known)


def _check_name(place: str, name: str) -> None:
    if not (0 < len(name) <= NAME_LIMIT and name.isprintable() and name == name.strip()):
        raise ValueError(f"{place}: a name has 1 to {NAME_LIMIT} printable characters")


def _check_names(place: str, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        _check_name(f"{place}.{number}.name", name)
        if name in names[:number]:
            raise ValueError(f"{place}.{number}.name: {name!r} is the name of another one")


def _check_known(place: str, named: Iterable[str], known: Iterable[str]) -> None:
    for name in named:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none; add [targets.NAME] or notify.url"
            raise ValueError(f"{place}: there is no target {name!r}; known are {listed}")


def _check_fallbacks(targets: Mapping[str, TargetSettings], known: Iterable[str]) -> None:
    for name, target in targets.items():
        _check_known(f"targets.{name}.fallback", filter(None, [target.fallback]), known)
    for name in targets:
        path = [name]
        while (at := targets.get(path[-1])) is not None and at.fallback is not None:
            path.append(at.fallback)
            if at.fallback in path[:-1]:
                raise ValueError(
                    f"targets.{name}.fallback: leads back to {at.fallback!r}"
                    f" ({' -> '.join(path)}); one target must have none"
                )


def _check_used(
    notify: NotifySettings, targets: Mapping[str, TargetSettings], known: Iterable[str]
) -> None:
    """A target that no route leads to would be silent, and nobody would notice."""
    if not notify.routes:
        return
    used = {name for route in notify.routes for name in (*route.targets, *route.escalate_to)}
    used |= {target.fallback for target in targets.values() if target.fallback is not None}
    for name in known:
        if name not in used:
            place = "notify.url" if name not in targets else f"targets.{name}"
            raise ValueError(
                f"{place}: no route leads to the target {name!r}; name it in one of notify.routes"
            )
