"""A message, and what its channel takes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from apprise.plugins.slack import NotifySlack

from alerts.messages.escaping import Format
from alerts.notices import Notice
from alerts.target import Target, TargetError, service_of

#: Longest title: what Slack takes in a header block, and more than mail programs show.
TITLE_LIMIT: Final = 150

#: Longest text of one block in Slack.
SLACK_BODY_LIMIT: Final = 3_000

#: Schemes of Alertmanager's webhook, which are not Apprise's.
ALERTMANAGER_SCHEMES: Final = frozenset({"alertmanager", "alertmanagers"})

_MAIL_SCHEMES: Final = frozenset({"mailto", "mailtos"})
_FORMATS: Final[dict[str, Format]] = {"text": "text", "markdown": "markdown", "html": "html"}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a plain title of one line, and a body in its format, both harmless.

    The title is markup in no format: what carries it escapes it for its channel.
    """

    title: str
    body: str
    format: Format
    notice: Notice


@dataclass(frozen=True, slots=True)
class Channel:
    """What a target takes: the format to write in, and limits in UTF-16 units (as most count).

    With a `title_limit` of 0 it takes no title, and the body begins with it.
    """

    format: Format
    body_limit: int
    title_limit: int


def length(text: str) -> int:
    """Return the length in UTF-16 units: never less than characters."""
    return len(text.encode("utf-16-le")) // 2


@lru_cache(maxsize=256)
def channel_of(target: Target) -> Channel:
    """Return what the target takes. Raises TargetError."""
    url = urlsplit(target.url.get_secret_value())
    if url.scheme.lower() in ALERTMANAGER_SCHEMES:
        return Channel("text", 32_768, TITLE_LIMIT)
    plugins = list(service_of(target))
    slack = any(isinstance(plugin, NotifySlack) for plugin in plugins)
    if target.format == "slack" and not slack:
        raise TargetError(f"target {target.name}: format slack is for slack:// addresses only")
    body = min(plugin.body_maxlen for plugin in plugins)
    title = min(plugin.title_maxlen for plugin in plugins)
    return Channel(
        _format(target, url.scheme.lower(), url.query, slack=slack),
        min(body, SLACK_BODY_LIMIT) if slack else body,
        max(0, min(title, TITLE_LIMIT)),
    )


def _format(target: Target, scheme: str, query: str, *, slack: bool) -> Format:
    if target.format != "auto":
        return target.format
    if slack:
        return "slack"
    asked = dict(parse_qsl(query)).get("format", "").lower()
    return _FORMATS.get(asked, "html" if scheme in _MAIL_SCHEMES else "text")
