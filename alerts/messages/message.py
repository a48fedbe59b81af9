"""A message, and what its channel takes."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from apprise import NotifyFormat
from apprise.conversion import convert_between
from apprise.plugins.base import NotifyBase
from apprise.plugins.slack import NotifySlack

from alerts.messages.apprise_service import service_of
from alerts.messages.escaping import Format
from alerts.messages.notices import Notice
from alerts.routing.target import Target, TargetError

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


def length(text: str) -> int:
    """Return the length in UTF-16 units, as most services count: never less than characters."""
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True, slots=True)
class Channel:
    """What a target takes: the format to write in, and how much.

    `body_size` and `title_size` say what a text counts as once it is written as the service takes
    it: escapes make texts longer. With a `title_limit` of 0 a channel takes no title, and the
    body begins with it.
    """

    format: Format
    body_limit: int = 32_768
    title_limit: int = TITLE_LIMIT
    body_size: Callable[[str], int] = length
    title_size: Callable[[str], int] = length


@lru_cache(maxsize=256)
def channel_of(target: Target) -> Channel:
    """Return what the target takes. Raises TargetError."""
    url = urlsplit(target.url.get_secret_value())
    if url.scheme.lower() in ALERTMANAGER_SCHEMES:
        return Channel("text")
    plugins = list(service_of(target))
    slack = any(isinstance(plugin, NotifySlack) for plugin in plugins)
    if target.format == "slack" and not slack:
        raise TargetError(f"target {target.name}: format slack is for slack:// addresses only")
    kind = _format(target, url.scheme.lower(), url.query, slack=slack)
    body = min(plugin.body_maxlen for plugin in plugins)
    title = min(plugin.title_maxlen for plugin in plugins)
    return Channel(
        kind,
        body_limit=min(body, SLACK_BODY_LIMIT) if slack else body,
        title_limit=max(0, min(title, TITLE_LIMIT)),
        body_size=length if kind == "slack" else _converted_size(plugins, NotifyFormat(kind)),
        title_size=_escaped_size if slack else length,
    )


def _converted_size(plugins: Sequence[NotifyBase], kind: NotifyFormat) -> Callable[[str], int]:
    """Return what counts a body as the plugins will send it: Apprise converts it for them."""

    def size(body: str) -> int:
        sizes = [length(body)]
        for plugin in plugins:
            target = plugin.resolve_format(kind)
            converted = convert_between(kind, target, body)  # type: ignore[no-untyped-call]
            sizes.append(length(plugin.dialect_convert(converted, target)))
        return max(sizes)

    return size


def _escaped_size(title: str) -> int:
    return length(html.escape(title, quote=False))


def _format(target: Target, scheme: str, query: str, *, slack: bool) -> Format:
    if target.format != "auto":
        return target.format
    if slack:
        return "slack"
    asked = dict(parse_qsl(query)).get("format", "").lower()
    return _FORMATS.get(asked, "html" if scheme in _MAIL_SCHEMES else "text")
