"""Hostile text in every field that comes from a log: what reaches the receiver, to the byte."""

import html
import json
import re
from email.message import Message
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from alerts.incidents.views import IncidentView
from alerts.messages import render
from alerts.messages.notices import Item, Notice
from alerts.routing.target import Target
from alerts.transports import transport_of
from tests.hostile.corpus import HOSTILE
from tests.receivers.kinds import address
from tests.receivers.mail import MailReceiver
from tests.receivers.notices import incident, notice
from tests.receivers.web import WebReceiver

LINK = "https://vedette.example"

#: One name with a bit of all.
WORST = (
    "<!here> <@U1> @channel #ops *b* `c` <b>x</b> &lt; http://evil.example/?a=1 www.evil.example"
    " a@evil.example\r\nBcc: x\x1b[31m\u202e"
)


def hostile(text: str) -> IncidentView:
    """An incident with the text wherever text from a log or a rule may stand."""
    return incident(
        severity="critical",
        entity_type="user",
        entity=text,
        summary=f"User {text}: 43 login failures (limit 10).",
        members=(text,),
        member_count=12,
        detectors=(text,),
        tags=(text,),
        stages=(text,),
        services=(text,),
        assignee=text,
        labels=(text, text),
    )


def hostile_notice(*texts: str) -> Notice:
    items = tuple(
        Item(hostile(text), ("opened", f"stage:{text}", f"unknown-{text}:1")) for text in texts
    )
    return Notice(items, "mark-1", incidents=len(items), link=LINK)


def send(url: str, said: Notice) -> None:
    target = Target("ops", SecretStr(url))
    assert transport_of(target).deliver(render(said, target)).delivered


#: The name as each channel gets it.
IN_TEXT = (
    r"<[!]here> <[@]U1> [@]channel [#]ops *b* `c` <b>x</b> &lt; http[:]//evil[.]example/?a=1"
    r" www[.]evil[.]example a[@]evil[.]example\x0d\x0aBcc: x\x1b[31m\u202e"
)
IN_HTML = (
    r"&lt;[!]here&gt; &lt;[@]U1&gt; [@]channel [#]ops *b* `c` &lt;b&gt;x&lt;/b&gt; &amp;lt;"
    r" http[:]//evil[.]example/?a=1 www[.]evil[.]example a[@]evil[.]example\x0d\x0aBcc: x\x1b[31m"
    r"\u202e"
)
IN_SLACK = IN_HTML.replace("`", "'")

TITLE = (
    "[CRITICAL] user <[!]here> <[@]U1> [@]channel [#]ops *b* `c` <b>x</b> &lt; http…: new incident"
    " (incident 17)"
)

TEXT = f"""\
User {IN_TEXT}: 43 login failures (limit 10).

Who:       user {IN_TEXT}
Clients:   12
Services:  shop
News:      new incident
Severity:  critical
Status:    open
Since:     2025-11-03 09:00:00 UTC
Last seen: 2025-11-03 09:02:00 UTC (2 min)
Stages:    reconnaissance
Detectors: web-recon-404
To do:     docs/runbooks/web-recon-404
Look:      https://vedette.example/incidents/17

Reference: mark-1"""

SLACK = f"""\
User `{IN_SLACK}`: 43 login failures (limit 10).
*Who:* user `{IN_SLACK}`
*Clients:* 12
*Services:* shop
*News:* new incident
*Severity:* critical, open
*Since:* 2025-11-03 09:00:00 UTC, last seen 2025-11-03 09:02:00 UTC (2 min)
*Stages:* reconnaissance
*Detectors:* web-recon-404
*What to do:* docs/runbooks/web-recon-404
<https://vedette.example/incidents/17|Open incident 17>

Reference: mark-1"""

NAME = '<span style="color:#57606a;display:inline-block;min-width:90px">'
HTML = (
    '<div style="font:15px/1.45 Helvetica,Arial,sans-serif;color:#1f2328;background:#ffffff;'
    'max-width:640px">\n'
    '<div style="border-left:6px solid #8b0000;padding:4px 0 4px 14px;margin:0 0 20px 0">\n'
    '<p style="margin:0 0 6px 0"><b style="color:#8b0000">CRITICAL</b> new incident</p>\n'
    f'<p style="margin:0 0 10px 0;font-size:17px">User {IN_HTML}: 43 login failures (limit 10).'
    "</p>\n"
    f'<p style="margin:0">{NAME}Who:</span> user {IN_HTML}<br>{NAME}Clients:</span> 12<br>'
    f"{NAME}Services:</span> shop<br>{NAME}Status:</span> open<br>"
    f"{NAME}Since:</span> 2025-11-03 09:00:00 UTC<br>"
    f"{NAME}Last seen:</span> 2025-11-03 09:02:00 UTC (2 min)<br>"
    f"{NAME}Stages:</span> reconnaissance<br>{NAME}Detectors:</span> web-recon-404<br>"
    f"{NAME}What to do:</span> docs/runbooks/web-recon-404<br></p>\n"
    '<p style="margin:12px 0 0 0">Incident 17: <a href="https://vedette.example/incidents/17"'
    ' style="color:#0969da">https://vedette.example/incidents/17</a></p>\n'
    "</div>\n"
    '<p style="color:#57606a;font-size:12px">Reference: mark-1</p>\n'
    "</div>"
)

HTML_AS_TEXT = f"""\
CRITICAL new incident

User {IN_TEXT}: 43 login failures (limit 10).

Who: user {IN_TEXT}
Clients: 12
Services: shop
Status: open
Since: 2025-11-03 09:00:00 UTC
Last seen: 2025-11-03 09:02:00 UTC (2 min)
Stages: reconnaissance
Detectors: web-recon-404
What to do: docs/runbooks/web-recon-404

Incident 17: https://vedette.example/incidents/17


Reference: mark-1"""


def worst() -> Notice:
    """A notice whose names are as bad as can be, and whose lists are not."""
    summary = f"User {WORST}: 43 login failures (limit 10)."
    return notice(
        incident(
            entity=WORST,
            summary=summary,
            entity_type="user",
            severity="critical",
            member_count=12,
        ),
        link=LINK,
    )


def test_json_to_the_byte(web: WebReceiver) -> None:
    send(address("json", web), worst())
    expected = {
        "version": "1.0",
        "title": TITLE,
        "message": TEXT,
        "attachments": [],
        "type": "failure",
        "idempotency_key": "mark-1",
    }
    assert web.requests[0].body == json.dumps(expected).encode()


def test_xml_to_the_byte(web: WebReceiver) -> None:
    send(address("xml", web), worst())
    body = web.requests[0].body.decode()
    assert f"<Subject>{_in_xml(TITLE)}</Subject><Message>{_in_xml(TEXT)}</Message>" in body
    fields = web.requests[0].xml()
    assert (fields["Subject"], fields["Message"]) == (TITLE, TEXT)


def test_form_to_the_byte(web: WebReceiver) -> None:
    send(address("form", web), worst())
    expected = {"version": "1.0", "title": TITLE, "message": TEXT, "type": "failure"}
    body = urlencode({**expected, "idempotency_key": "mark-1"})
    assert web.requests[0].body == body.encode()


def test_slack_to_the_byte(slack: WebReceiver) -> None:
    send(address("slack", slack), worst())
    title = html.escape(TITLE, quote=False)
    header = {"type": "plain_text", "text": title, "emoji": False}
    section = {"type": "mrkdwn", "text": SLACK, "verbatim": True}
    attachment = {
        "color": "#A32037",
        "fallback": title,
        "blocks": [{"type": "header", "text": header}, {"type": "section", "text": section}],
    }
    expected = {"attachments": [attachment], "channel": "#ops"}
    assert slack.requests[0].body == json.dumps(expected).encode()


def test_html_mail_to_the_byte(mail: MailReceiver) -> None:
    send(mail.url, worst())
    (found,) = mail.mails
    assert found["Subject"] == TITLE
    plain, rich = (part for part in found.walk() if not part.is_multipart())
    assert _bytes_of(rich) == HTML.encode()
    assert _bytes_of(plain) == HTML_AS_TEXT.encode()
    assert found.keys().count("Subject") == 1
    assert "Bcc" not in found
    assert mail.recipients == [["team@example.org"]]


def test_plain_mail_to_the_byte(mail: MailReceiver) -> None:
    send(mail.url + "&format=text", worst())
    (found,) = mail.mails
    assert found["Subject"] == TITLE
    assert found.get_content_type() == "text/plain"
    assert _bytes_of(found) == TEXT.encode()
    assert "Bcc" not in found


def test_alertmanager_to_the_byte(web: WebReceiver) -> None:
    send(address("alertmanager", web), worst())
    ((alert),) = web.requests[0].json()
    assert alert["labels"]["entity"] == IN_TEXT
    assert alert["annotations"]["summary"] == f"User {IN_TEXT}: 43 login failures (limit 10)."
    assert web.requests[0].body.isascii()


@pytest.mark.parametrize("kind", ["json", "xml", "form", "alertmanager"])
def test_nothing_survives_as_text(web: WebReceiver, kind: str) -> None:
    for text in HOSTILE:
        send(address(kind, web), hostile_notice(text))
        request = web.requests[-1]
        if kind == "alertmanager":
            (alert,) = request.json()
            values = [*alert["labels"].values(), *alert["annotations"].values()]
        else:
            fields = getattr(request, kind)()
            values = [fields.get("title", fields.get("Subject"))]
            values.append(fields.get("message", fields.get("Message")))
        for value in values:
            assert harmless(value), (text, value)


def test_nothing_survives_in_slack(slack: WebReceiver) -> None:
    for text in HOSTILE:
        send(address("slack", slack), hostile_notice(text))
        (attachment,) = slack.requests[-1].json()["attachments"]
        header, section = (block["text"]["text"] for block in attachment["blocks"])
        assert harmless(header), (text, header)
        assert not _SLACK_CONTROL.search(header), (text, header)
        said = section.replace(f"<{LINK}/incidents/17|Open incident 17>", "")
        said = _LABEL.sub("", said)
        assert harmless(said), (text, said)
        assert not _SLACK_CONTROL.search(said), (text, said)
        bare = _CODE.sub("", said)
        assert not _MRKDWN.search(bare), bare


def test_nothing_survives_in_mail(mail: MailReceiver) -> None:
    size = 9
    send(mail.url, hostile_notice(*["x"] * size))
    benign = mail.mails[0]
    texts = [*HOSTILE, *HOSTILE[: -len(HOSTILE) % size]]
    for start in range(0, len(texts), size):
        said = hostile_notice(*texts[start : start + size])
        send(mail.url, said)
        found = mail.mails[-1]
        assert found.keys() == benign.keys()
        assert harmless(str(found["Subject"])), found["Subject"]
        plain, rich = (_text_of(part) for part in found.walk() if not part.is_multipart())
        assert harmless(plain), plain
        tags, shown = _Reader.read(rich)
        assert tags == _Reader.read(_text_of(list(benign.walk())[2]))[0], rich
        assert harmless(shown), shown
        assert set(mail.raw[-1]) <= {*range(32, 127), 9, 10, 13}
        send(mail.url + "&format=text", said)
        assert harmless(_text_of(mail.mails[-1])), start


#: What a program would take for a link or a mention.
_FANGS = re.compile(
    r"[a-z]:(?=\S)|:[/\\]|www[.]|\w[.\u3002\uff0e\uff61][^\W\d_]|(?<!\[)[@\uff20]"
    r"|[@\uff20](?!\])|(?<!\[)#\w|<!|\\\\\w|\d+\.\d+\.\d+\.\d+[/:]\w",
    re.IGNORECASE,
)
_SLACK_CONTROL = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")
_MRKDWN = re.compile(r"[*_~`|]|:[a-z]\w*:|:100:|^\s*(?:&gt;|[0-9]+\.\s|[-+#])", re.MULTILINE)
_LABEL = re.compile(r"^\*[A-Z][a-z ]+:\*", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")


def harmless(said: str) -> bool:
    """Whether nothing shows in another way than it is, and nothing becomes a link or mention."""
    text = said.replace(f"{LINK}/incidents/17", "").replace("\n", " ")
    marks = re.search(r"[\u0300-\u036f]{4}", text)
    return text.isprintable() and not _FANGS.search(text) and not marks


class _Reader(HTMLParser):
    """Collects tags with their attributes, and the text that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, object]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((tag, "end"))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text += data + " "

    @classmethod
    def read(cls, page: str) -> tuple[list[tuple[str, object]], str]:
        reader = cls()
        reader.feed(page)
        reader.close()
        return reader.tags, reader.text


def _in_xml(text: str) -> str:
    return html.escape(text, quote=True).replace("&#x27;", "&apos;")


def _bytes_of(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.replace(b"\r\n", b"\n").removesuffix(b"\n")


def _text_of(part: Message) -> str:
    return _bytes_of(part).decode()
