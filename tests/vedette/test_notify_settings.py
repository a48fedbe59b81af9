"""Who is told, as settings say it: checked as a whole, mistakes refused with help."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.muting.maintenance import Span
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from detectors.findings import Level
from vedette.notifying import muting_of, routing_of, targets_of
from vedette.settings import SettingsError, load_settings, settings_from

SECRET = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
A = "[targets.a]\nurl = 'json://a'\n"
B = "[targets.b]\nurl = 'json://b'\n"
ROUTE = "[[notify.routes]]\nname = 'r'\ntargets = ['a']\n"
INHIBIT = "[[inhibit]]\nname = 'i'\nsource = { tag = 'x' }\ntarget = {}\n"
WINDOW = "[[maintenance]]\nname = 'm'\n"


def test_one_address_is_a_target_and_a_route() -> None:
    settings = settings_from("[notify]\nurl = 'json://x'\nmin_level = 'low'\n")
    (target,) = targets_of(settings)
    assert (target.name, target.min_level, target.fallback) == ("default", Level.LOW, None)
    (route,) = routing_of(settings).routes
    assert (route.name, route.targets, route.match.empty) == ("all", ("default",), True)
    assert (route.group_by, route.group_wait) == (("incident",), timedelta(seconds=5))
    assert route.repeat_interval == timedelta(hours=4)


def test_without_routes_every_target_is_told() -> None:
    settings = settings_from("[notify]\nurl = 'json://x'\n" + A + B)
    assert routing_of(settings).routes[0].targets == ("default", "a", "b")
    assert routing_of(settings_from("")).routes == Routing([]).routes
    assert targets_of(settings_from("")) == []


def test_a_target_has_what_the_settings_say() -> None:
    text = (
        A + "min_level = 'critical'\nformat = 'html'\ntemplate = 't.j2'\nfallback = 'b'\n"
        "send_resolved = false\nmax_messages = 3\nper = '1h'\n" + B
    )
    first, second = targets_of(settings_from(text))
    assert first == Target(
        "a", first.url, Level.CRITICAL, "html", Path("t.j2"), "b", False, 3, timedelta(hours=1)
    )
    assert first.url.get_secret_value() == "json://a"
    assert second == Target("b", second.url, Level.MEDIUM)


def test_a_route_has_what_the_settings_say() -> None:
    text = ROUTE + (
        "match = { severity_min = 'high', detector = 'x' }\ncontinue = true\n"
        "group_by = ['detector', 'service']\ngroup_wait = '1m'\ngroup_interval = '2m'\n"
        "repeat_interval = 0\nescalate_after = '5m'\nescalate_to = ['b']\n"
    )
    (route,) = routing_of(settings_from(text + A + B)).routes
    assert (route.match.severity_min, route.match.detector, route.proceed) == ("high", ("x",), True)
    assert (route.group_by, route.repeat_interval) == (("detector", "service"), None)
    assert (route.group_wait, route.group_interval) == (timedelta(minutes=1), timedelta(minutes=2))
    assert (route.escalate_after, route.escalate_to) == (timedelta(minutes=5), ("b",))


def test_what_mutes_has_what_the_settings_say() -> None:
    text = INHIBIT + "equal = ['service']\nseverer = true\n"
    text += WINDOW + "from = 2026-03-01T08:00:00\nuntil = '2026-03-01T10:00:00Z'\n"
    text += "time_zone = 'Europe/Paris'\nmatch = { service = 'shop' }\n"
    muting = muting_of(settings_from(text))
    (rule,) = muting.inhibition.rules
    assert (rule.name, rule.source.tag, rule.equal, rule.severer) == (
        "i",
        ("x",),
        ("service",),
        True,
    )
    (window,) = muting.maintenance.windows
    assert window.match.service == ("shop",)
    assert window.times == (
        Span(datetime(2026, 3, 1, 7, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[routes]]\nname = 'x'", "routes: is a table about paths; who is told of what is"),
        (ROUTE, "notify.routes.0.targets: there is no target 'a'; known are none; add [targets"),
        (ROUTE + B, "notify.routes.0.targets: there is no target 'a'; known are b"),
        (ROUTE.replace("'r'", "''") + A, "notify.routes.0.name: a name has 1 to 64"),
        (ROUTE.replace("'r'", f"'{'x' * 65}'") + A, "notify.routes.0.name: a name has 1 to 64"),
        (ROUTE * 2 + A, "notify.routes.1.name: 'r' is the name of another one"),
        (ROUTE + "continu = true\n" + A, "0.continu: unknown key; did you mean 'continue'?"),
        (ROUTE + "proceed = true\n" + A, "0.proceed: unknown key; known are name, targets, match"),
        (ROUTE + "match = { detektor = 'x' }", "match.detektor: unknown key; did you mean 'det"),
        (ROUTE + "match = { entity = '10.0.0.0/40' }", "match.entity: 10.0.0.0/40 is no network"),
        (ROUTE + "group_by = ['incidents']", "group_by: 'incidents' is nothing to bundle by;"),
        (ROUTE + "group_wait = '5x'", "group_wait: '5x' is no duration"),
        (ROUTE + "repeat_interval = '1s'", "repeat_interval: must be a minute or longer, or 0"),
        (ROUTE + "escalate_after = '5m'", "0: escalate_after needs escalate_to"),
        (ROUTE + "escalate_to = ['a']", "0: escalate_to needs escalate_after"),
        (
            ROUTE + "escalate_after = '5m'\nescalate_to = ['c']\n" + A,
            "notify.routes.0.escalate_to: there is no target 'c'; known are a",
        ),
        (ROUTE + A + B, "targets.b: no route leads to the target 'b'"),
        ("[notify]\nurl = 'json://x'\n" + ROUTE + A, "notify.url: no route leads to the target"),
        ("[notify]\nurl = 'json://x'\n[targets.default]\nurl = 'json://y'", "use one of both"),
        (A + "fallback = 'c'", "targets.a.fallback: there is no target 'c'; known are a"),
        (A + "fallback = 'a'", "targets.a.fallback: leads back to 'a' (a -> a)"),
        (A + "fallback = 'b'\n" + B + "fallback = 'a'", "leads back to 'a' (a -> b -> a)"),
        (A + "max_messages = 0", "targets.a.max_messages: must be at least 1"),
        (A + "per = 0", "targets.a.per: must be a second or longer"),
        (A + "min_levl = 'low'", "targets.a.min_levl: unknown key; did you mean 'min_level'?"),
        (A + "format = 'pdf'", "targets.a.format: must be 'auto'"),
        ("[targets]\nurl = 'x'", "targets.url: must be a table of its own, with its name"),
        ("[targets.a]\nmin_level = 'low'", "targets.a.url: is needed"),
        ('[targets."a\\u001b"]\nurl = "x"', "targets.?: a name has 1 to 64 printable"),
        ("[notify.routes]\nname = 'r'", "stands in double brackets, as in [[notify.routes]]"),
        ("[inhibit]\nname = 'i'", "stands in double brackets, as in [[inhibit]]"),
        ("[maintenance]\nname = 'i'", "stands in double brackets, as in [[maintenance]]"),
        (INHIBIT.replace("{ tag = 'x' }", "{}"), "inhibit.0.source: must say which incidents"),
        (INHIBIT + "equal = ['user']", "inhibit.0.equal.0: must be 'entity', 'network'"),
        (INHIBIT * 2, "inhibit.1.name: 'i' is the name of another one"),
        (WINDOW, "maintenance.0: needs from and until, or weekly"),
        (WINDOW + "until = 2026-03-01T08:00:00", "maintenance.0: needs from and until"),
        (
            WINDOW + "weekly = 'daily 01:00-02:00'\nuntil = 2026-03-01T08:00:00",
            "maintenance.0: needs from and until, or weekly",
        ),
        (
            WINDOW + "from = 2026-03-01T08:00:00\nuntil = 2026-03-01T07:00:00Z",
            "maintenance.0: until must be after from",
        ),
        (WINDOW + "weekly = 'So 01:00-02:00'", "maintenance.0: 'So 01:00-02:00' is no window"),
        (
            WINDOW + "weekly = 'daily 01:00-02:00'\ntime_zone = 'Pari'",
            "maintenance.0.time_zone: unknown time zone; write it as in Europe/Paris",
        ),
        ("[notify]\nlink = 'vedette.example.net'", "notify.link: must be an address"),
        ("[notify]\nlink = 'https://u:p@example.net'", "notify.link: must be an address"),
        ("[notify]\nlink = 'https://example.net?a=b'", "notify.link: must be an address"),
    ],
)
def test_mistakes_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from(text)
    assert complaint in str(refused.value)
    assert str(refused.value).startswith("settings: ")


def test_a_link_has_no_slash_at_its_end() -> None:
    assert settings_from("[notify]\nlink = 'https://x.example/v/'").notify.link == (
        "https://x.example/v"
    )


def test_a_target_s_address_is_shown_nowhere(tmp_path: Path) -> None:
    text = f"[targets.a]\nurl = '{SECRET}'\n"
    settings = settings_from(text)
    shown = repr(settings) + settings.model_dump_json() + repr(targets_of(settings))
    assert SECRET.rpartition("/")[2] not in shown
    file = tmp_path / "v.toml"
    file.write_text(text + "fallback = 'b'\n[targets.b]\nurl = ['x']\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert SECRET.rpartition("/")[2] not in str(refused.value)


def test_an_address_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "v.toml"
    file.write_text("[targets.ops]\nmin_level = 'high'\n", encoding="utf-8")
    monkeypatch.setenv("VEDETTE_TARGETS__OPS__URL", SECRET)
    (target,) = targets_of(load_settings(file))
    assert (target.url.get_secret_value(), target.min_level) == (SECRET, Level.HIGH)
