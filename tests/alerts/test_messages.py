"""What messages say, how they are cut, and templates of users."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from apprise.plugins.custom_json import NotifyJSON
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from alerts.messages import render, template_problem
from alerts.messages.escaping import Format
from alerts.messages.message import channel_of, length
from alerts.messages.news import news
from alerts.messages.notices import Ending, Item, Notice
from alerts.routing.target import Format as Asked
from alerts.routing.target import Target, TargetError
from alerts.transports import transport_of
from tests.hostile.corpus import HOSTILE
from tests.receivers.kinds import SLACK
from tests.receivers.notices import START, about, incident, notice
from tests.receivers.web import WebReceiver

LINK = "https://vedette.example"
URLS: dict[Format, str] = {
    "text": "json://localhost",
    "markdown": "json://localhost?format=markdown",
    "html": "mailto://u:p@example.org",
    "slack": SLACK,
}


def target(kind: Format = "text", template: Path | None = None, url: str | None = None) -> Target:
    return Target("ops", SecretStr(url or URLS[kind]), template=template)


@pytest.mark.parametrize(
    ("url", "asked", "kind"),
    [
        ("json://localhost", "auto", "text"),
        ("json://localhost?format=html", "auto", "html"),
        ("mailto://u:p@example.org", "auto", "html"),
        ("mailtos://u:p@example.org?format=text", "auto", "text"),
        ("mailto://u:p@example.org", "text", "text"),
        (SLACK, "auto", "slack"),
        (SLACK, "markdown", "markdown"),
        ("alertmanager://localhost:9093", "auto", "text"),
    ],
)
def test_the_format_is_the_receiver_s(url: str, asked: Asked, kind: Format) -> None:
    assert channel_of(Target("ops", SecretStr(url), format=asked)).format == kind


def test_slack_s_format_is_for_slack() -> None:
    with pytest.raises(TargetError, match="target ops: format slack is for slack://"):
        channel_of(Target("ops", SecretStr("json://localhost"), format="slack"))


@pytest.mark.parametrize("kind", list(URLS))
def test_each_format_says_what_who_how_much_since_when_and_where(kind: Format) -> None:
    message = render(notice(link=LINK), target(kind))
    assert message.format == kind
    assert message.title == "[HIGH] client 203.0.113.7: new incident (incident 17)"
    for said in ("43 distinct missing paths", "(limit 10)", "203.0.113.7", "2025-11-03 09:00:00"):
        assert said in message.body
    assert f"{LINK}/incidents/17" in message.body
    assert "mark-1" in message.body


@pytest.mark.parametrize("kind", list(URLS))
def test_without_a_page_the_command_is_given(kind: Format) -> None:
    message = render(notice(), target(kind))
    assert "vedette incidents show 17" in message.body
    assert "http" not in message.body


@pytest.mark.parametrize(
    ("living", "others", "tag"),
    [
        ("medium", ("calm",), "MEDIUM"),
        (None, ("calm",), "calm"),
        (None, ("closed",), "RESOLVED"),
        (None, ("closed", "calm"), "calm"),
        (None, ("closed", "closed"), "RESOLVED"),
    ],
)
@pytest.mark.parametrize("digest", [False, True])
def test_what_is_over_wakes_nobody(
    living: str | None, others: tuple[str, ...], tag: str, digest: bool
) -> None:
    over = {
        "calm": incident(severity="critical", status="resolved"),
        "closed": incident(severity="critical", status="closed", resolution="benign"),
    }
    told = [over[name] for name in others]
    told += [] if living is None else [incident(severity=living)]
    message = render(notice(*told, digest=digest), target("text"))
    assert message.title.startswith(f"[{tag}] ")
    assert "critical" in message.body.lower()


@pytest.mark.parametrize("kind", list(URLS))
def test_who_ended_it_and_what_they_wrote_is_said(kind: Format) -> None:
    closed = incident(status="closed", resolution="false_positive")
    ending = Ending("cli:ann", "our scanner <!here> http://evil.example")
    given = Notice((Item(closed, ("resolved:4",), ending),), "mark-1")
    message = render(given, target(kind))
    assert message.title == (
        "[RESOLVED] client 203.0.113.7: closed by ann (false positive) (incident 17)"
    )
    assert "our scanner" in message.body
    assert "Severity" in message.body or "HIGH" in message.body
    assert "http://" not in message.body
    assert "<!here>" not in message.body


@pytest.mark.parametrize("kind", list(URLS))
def test_the_page_that_says_what_to_do_is_named(kind: Format) -> None:
    given = notice(incident(detectors=("login_burst", "log4shell")))
    body = render(given, target(kind)).body.replace("`", "")
    assert "docs/runbooks/login_burst, docs/runbooks/log4shell" in body
    digest = render(replace(given, digest=True), target(kind)).body
    assert "runbooks" not in digest


@pytest.mark.parametrize("kind", list(URLS))
def test_commands_name_the_settings_of_the_service_and_can_be_pasted(kind: Format) -> None:
    given = " --config '/etc/our api/vedette.toml'"
    many = [incident(id=17 + n) for n in range(12)]
    body = html.unescape(render(notice(*many, options=given), target(kind)).body)
    assert f"vedette incidents show 17{given}" in body
    assert f" more: vedette incidents{given}" in re.sub(r"`|\*|</?b>", "", body)
    assert "vedette.toml" not in render(notice(*many, options=given, link=LINK), target(kind)).body


@pytest.mark.parametrize(
    ("transitions", "changes", "said"),
    [
        (("opened",), {}, ("new incident",)),
        (("opened", "severity:critical", "stage:success"), {}, ("new incident",)),
        (("severity:high",), {}, ("severity raised to high",)),
        (("severity:medium", "severity:high"), {}, ("severity raised to high",)),
        (("stage:failures", "stage:success"), {}, ("next stage: success",)),
        (("members:10",), {"member_count": 1_234}, ("1,234 clients by now",)),
        (("calm:1",), {"status": "resolved"}, ("calm again",)),
        (("calm:1", "returned:2"), {}, ("active again",)),
        (("calm:1", "returned:2", "calm:3"), {"status": "resolved"}, ("calm again",)),
        (("opened", "calm:1"), {"status": "resolved"}, ("calm again", "new incident")),
        (("opened",), {"status": "resolved"}, ("new incident, resolved by now",)),
        (("opened",), {"status": "closed"}, ("new incident, closed by now",)),
        (("repeat:2", "escalated:1"), {}, ("nobody has acknowledged it", "still open")),
        (
            ("severity:high", "escalated:1"),
            {"status": "acknowledged"},
            ("severity raised to high",),
        ),
        (
            ("resolved:4",),
            {"status": "closed", "resolution": "false_positive"},
            ("closed by a person (false positive)",),
        ),
        (("repeat:2",), {"status": "closed"}, ()),
    ],
)
def test_news(
    transitions: tuple[str, ...], changes: dict[str, object], said: tuple[str, ...]
) -> None:
    assert news(about(*transitions, **changes).items[0]) == said


def test_a_bundle_tells_of_each(tmp_path: Path) -> None:
    message = render(
        notice(incident(id=1, severity="low"), incident(id=2, entity="198.51.100.1"), link=LINK),
        target(),
    )
    assert message.title == "[HIGH] 2 incidents: client 198.51.100.1 and 1 more"
    assert message.body.index("/incidents/1") < message.body.index("/incidents/2")
    assert "more:" not in message.body


@pytest.mark.parametrize("kind", list(URLS))
def test_a_digest_counts_and_names_the_gravest(kind: Format) -> None:
    many = [incident(id=n, severity="critical" if n < 3 else "low") for n in range(20)]
    message = render(notice(*many, digest=True, incidents=412, link=LINK), target(kind))
    assert message.title == "[CRITICAL] 412 incidents, among them 3 critical, 17 low"
    whole = render(notice(*many, digest=True, link=LINK), target(kind))
    assert whole.title == "[CRITICAL] 20 incidents: 3 critical, 17 low"
    plain = re.sub(r"<[^>]+>|\*", "", message.body)
    assert "412 incidents came at once" in plain
    assert "Of the 20 gravest" in plain
    assert "3 critical, 17 low" in plain
    assert "(20)" in plain
    assert "407 more" in plain if kind != "slack" else "407 more" in message.body
    assert f"{LINK}/incidents" in message.body


_NAMES = st.sampled_from(HOSTILE) | st.text(max_size=60)
_LONG = st.builds(lambda name, times: name * times, _NAMES, st.sampled_from([1, 5, 300]))


@given(
    st.sampled_from(list(URLS)),
    st.lists(_LONG, min_size=1, max_size=14),
    st.booleans(),
)
def test_messages_fit_and_are_whole(kind: Format, names: list[str], digest: bool) -> None:
    url = target(kind)
    plugin_limit = channel_of(url).body_limit
    said = notice(
        *(
            incident(id=n, entity=name, summary=name, services=(name,))
            for n, name in enumerate(names)
        ),
        digest=digest,
        link=LINK,
    )
    message = render(said, url)
    assert length(message.body) <= plugin_limit
    assert length(message.title) <= 150
    if kind == "slack":
        assert not re.search(r"&(?!amp;|lt;|gt;)", message.body)
        assert message.body.count("`") % 2 == 0
        assert (
            message.body.count("<")
            == message.body.count(">")
            == message.body.count("|Open") + (" more>" in message.body)
        )
    if kind == "html":
        assert message.body.endswith("</div>")
        assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", message.body)


@pytest.mark.parametrize("kind", ["slack", "text", "markdown", "html"])
@pytest.mark.parametrize("name", ["&" * 5_000, "<" * 5_000, "\\*_~" * 1_000, "\U0001f600" * 5_000])
def test_escapes_count_too(kind: Asked, name: str, slack: WebReceiver) -> None:
    views = [incident(id=n, entity=name, summary=name, services=(name,) * 9) for n in range(9)]
    url = Target("ops", SecretStr(SLACK), format=kind)
    assert transport_of(url).deliver(render(notice(*views), url)).delivered
    (attachment,) = slack.requests[0].json()["attachments"]
    header, section = (block["text"]["text"] for block in attachment["blocks"])
    assert length(header) <= 150
    assert length(section) <= 3_000


@pytest.mark.parametrize("limit", [20, 60, 160, 300, 600])
@pytest.mark.parametrize("kind", ["text", "markdown", "html"])
def test_small_channels_get_the_gist(
    kind: Format, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifyJSON, "body_maxlen", limit)
    channel_of.cache_clear()
    try:
        url = target(url=f"json://localhost?format={kind}")
        message = render(notice(incident(entity="<x>" * 99), incident(id=18)), url)
    finally:
        channel_of.cache_clear()
    assert length(message.body) <= limit
    assert "17" in message.body
    if limit >= 160:
        assert "HIGH" in message.body


@pytest.mark.parametrize(
    ("link", "look"), [(None, "vedette incidents show 17"), (LINK, f"{LINK}/incidents/17")]
)
def test_a_text_message_of_a_telephone(link: str | None, look: str) -> None:
    sms = f"twilio://AC{'1' * 32}:{'2' * 32}@15551234567/15551234568"
    message = render(notice(link=link), target(url=sms))
    assert message.title == ""
    assert message.body == f"[HIGH] client 203.0.113.7: new incident (incident 17) {look}"


def test_what_does_not_fit_is_counted() -> None:
    many = [incident(id=n, entity=f"198.51.100.{n}", summary="long " * 200) for n in range(40)]
    message = render(notice(*many, link=LINK), target("slack"))
    shown = message.body.count("Open incident")
    assert 0 < shown < 40
    assert f"<{LINK}/incidents|{40 - shown} more>" in message.body


def test_a_channel_without_titles_has_it_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyJSON, "title_maxlen", 0)
    leads = {
        "text": "[HIGH] user &lt;b&gt;*x*: new incident (incident 17)\n\n",
        "html": "<p><b>[HIGH] user &amp;lt;b&amp;gt;*x*: new incident (incident 17)</b></p>\n",
        "markdown": "**[HIGH] user `&lt;b&gt;*x*`: new incident (incident 17)**\n\n",
    }
    channel_of.cache_clear()
    try:
        for kind, lead in leads.items():
            url = target(url=f"json://localhost?format={kind}")
            view = incident(entity_type="user", entity="&lt;b&gt;*x*")
            message = render(notice(view), url)
            assert (message.title, message.body[: len(lead)]) == ("", lead)
    finally:
        channel_of.cache_clear()


def test_times_are_utc_and_short() -> None:
    view = incident(last_at=START + timedelta(hours=5, minutes=3))
    body = render(notice(view), target()).body
    assert "Last seen: 2025-11-03 14:03:00 UTC (5 h)" in body


def template(folder: Path, text: str) -> Path:
    path = folder / "ours.j2"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_template_of_one_s_own(tmp_path: Path) -> None:
    text = (
        "{% for item in items %}\n{{ item.incident.severity }}: {{ item.who }} {{ item.link }}\n"
        "{% endfor %}\n{{ more }} more, {{ reference }}\n"
    )
    path = template(tmp_path, text)
    assert template_problem(target(template=path)) is None
    body = render(notice(incident(entity="@x"), link=LINK), target(template=path)).body
    assert body == f"high: client [@]x {LINK}/incidents/17\n0 more, mark-1"
    slack = render(notice(incident(entity="<!x>")), target("slack", path)).body
    assert slack == "high: client `&lt;[!]x&gt;` None\n0 more, mark-1"
    rich = render(notice(incident(entity="<x>"), link=LINK), target("html", path)).body
    assert rich == f"high: client &lt;x&gt; {LINK}/incidents/17\n0 more, mark-1"


def test_a_template_changes_while_the_program_runs(tmp_path: Path) -> None:
    path = template(tmp_path, "one")
    assert render(notice(), target(template=path)).body == "one"
    template(tmp_path, "two")
    assert render(notice(), target(template=path)).body == "two"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n{% if %}", "line 2: Expected an expression"),
        ("x\n\n{{ nosuch }}", "line 3: 'nosuch' is undefined"),
        ("{{ items[0].nosuch }}", "line 1: .*has no attribute 'nosuch'"),
        ("x\n{{ 1 / 0 }}", "line 2: division by zero"),
        ("x\n{{ items | safe }}", "line 2: No filter named 'safe'"),
        ("{{ 'x' | urlize }}", "line 1: No filter named 'urlize'"),
        ("\n\n{{ items.__class__.__mro__ }}", "line 3: access to attribute '__class__'"),
        ("{{ ''.__class__ }}", "line 1: access to attribute '__class__'"),
        ("{% include 'text.j2' %}", "line 1: no loader"),
        ("{# nothing #}", "it says nothing"),
    ],
)
def test_a_broken_template_is_reported_and_the_built_in_one_is_sent(
    tmp_path: Path, text: str, said: str
) -> None:
    path = template(tmp_path, text)
    problem = template_problem(target(template=path))
    assert problem is not None
    assert re.search(rf"^template {re.escape(str(path))}[,:] {said}", problem), problem
    with capture_logs() as logs:
        message = render(notice(), target(template=path))
    assert "43 distinct missing paths" in message.body
    assert [entry["event"] for entry in logs] == ["template failed, the built-in one is sent"]
    assert logs[0]["error"] == problem


def test_a_template_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    missing = template_problem(target(template=tmp_path / "none.j2"))
    assert missing == f"template {tmp_path / 'none.j2'}: cannot be read: No such file or directory"
    path = tmp_path / "latin.j2"
    path.write_bytes(b"\xff")
    assert template_problem(target(template=path)) == f"template {path}: is not UTF-8"
    path.write_bytes(b"x" * 64_001)
    assert template_problem(target(template=path)) == f"template {path}: larger than 64,000 bytes"


def test_a_template_that_says_too_much_gives_way(tmp_path: Path) -> None:
    path = template(tmp_path, "x" * 3_001)
    with capture_logs() as logs:
        message = render(notice(), target("slack", path))
    assert "43 distinct missing paths" in message.body
    assert logs[0]["event"] == "template says too much, the built-in one is sent"


def test_transitions_nobody_knows_are_said_as_they_are() -> None:
    item = Item(incident(), ("strange:1",))
    assert news(item) == ("strange",)
    assert "strange" in render(replace(notice(), items=(item,)), target()).title
