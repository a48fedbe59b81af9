"""Who is told of incidents, by the settings: targets, routes, and what mutes."""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from alerts.messages import template_problem
from alerts.muting.inhibition import Inhibition, InhibitRule
from alerts.muting.maintenance import Maintenance, Window
from alerts.muting.mutes import Muting
from alerts.routing.matchers import Matchers, unmatched
from alerts.routing.routes import Route, Routing
from alerts.routing.target import Target, TargetError
from alerts.transports import transport_of
from detectors.findings import Level
from vedette.notify_settings import DEFAULT_TARGET, NotifyRoute, TargetSettings
from vedette.settings import Settings, SettingsError

#: The only route of settings that have none.
ONLY_ROUTE = "all"


def targets_of(settings: Settings) -> list[Target]:
    """Return the targets that the settings name; `notify.url` is the one called default."""
    given = dict(settings.targets)
    if settings.notify.url is not None:
        short = TargetSettings(url=settings.notify.url, min_level=settings.notify.min_level)
        given = {DEFAULT_TARGET: short, **given}
    return [_target(name, target) for name, target in given.items()]


def routing_of(settings: Settings) -> Routing:
    """Return the routes that the settings have; without any, every target is told everything."""
    if settings.notify.routes:
        return Routing([_route(route) for route in settings.notify.routes])
    names = tuple(target.name for target in targets_of(settings))
    return Routing([_route(NotifyRoute(name=ONLY_ROUTE, targets=names))] if names else [])


def muting_of(settings: Settings) -> Muting:
    """Return what mutes by the settings: inhibition and maintenance. Silences are stored."""
    rules = [
        InhibitRule(rule.name, rule.source, rule.target, rule.equal, rule.severer)
        for rule in settings.inhibit
    ]
    windows = [Window(window.name, window.times(), window.match) for window in settings.maintenance]
    return Muting(Inhibition(rules), Maintenance(windows))


def check_detectors(settings: Settings, known: Collection[str]) -> None:
    """Refuse matchers of the settings whose detector is none; raises SettingsError."""
    for place, matchers in _matchers(settings):
        wrong = unmatched(matchers.detector, known)
        if wrong is not None:
            raise SettingsError(f"{place}.detector: there is no detector {wrong}")


def check_targets(targets: Sequence[Target]) -> list[str]:
    """Refuse addresses that cannot be sent to, and return what is wrong with templates.

    Raises SettingsError. A broken template is no reason to tell nobody: ours takes its place.
    """
    try:
        for target in targets:
            transport_of(target)
        problems = {target.name: template_problem(target) for target in targets}
    except TargetError as error:
        raise SettingsError(f"notify.url or targets: {error}") from error
    return [
        f"Target {name}: {problem}. Until that is mended, messages have our own words."
        for name, problem in problems.items()
        if problem is not None
    ]


def _matchers(settings: Settings) -> Iterator[tuple[str, Matchers]]:
    for number, route in enumerate(settings.notify.routes):
        yield f"notify.routes.{number}.match", route.match
    for number, rule in enumerate(settings.inhibit):
        yield f"inhibit.{number}.source", rule.source
        yield f"inhibit.{number}.target", rule.target
    for number, window in enumerate(settings.maintenance):
        yield f"maintenance.{number}.match", window.match


def _target(name: str, target: TargetSettings) -> Target:
    return Target(
        name=name,
        url=target.url,
        min_level=Level[target.min_level.upper()],
        format=target.format,
        template=target.template,
        fallback=target.fallback,
        send_resolved=target.send_resolved,
        max_messages=target.max_messages,
        per=target.per,
    )


def _route(route: NotifyRoute) -> Route:
    return Route(
        name=route.name,
        targets=route.targets,
        match=route.match,
        proceed=route.proceed,
        group_by=route.group_by,
        group_wait=route.group_wait,
        group_interval=route.group_interval,
        repeat_interval=route.repeat_interval if route.repeat_interval > timedelta(0) else None,
        escalate_after=route.escalate_after,
        escalate_to=route.escalate_to,
    )
