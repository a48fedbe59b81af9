"""A notice in words, as its target takes them, within its limits."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from alerts.incidents.views import EXAMPLE
from alerts.messages.context import GRAVEST_FIRST, context_of, cut, look, severities
from alerts.messages.escaping import ESCAPES, Format, as_text, finalise
from alerts.messages.message import Channel, Message, channel_of
from alerts.messages.news import ended, headline, subject
from alerts.messages.notices import Item, Notice
from alerts.messages.templates import BadTemplate, rendered, rendered_file
from alerts.routing.target import Target

#: Incidents that one message tells about; the others are counted.
ITEMS_SHOWN: Final = 10

#: The same for a digest.
DIGEST_SHOWN: Final = 5

#: Characters of each text, tried one after another until the message fits.
_WIDTHS: Final = (600, 200, 80, 30)

#: Characters of an entity's name in titles.
_NAME_WIDTHS: Final = (60, 30, 12)

#: Characters of the news in titles.
HEADLINE_WIDTH: Final = 60

_log: Final = structlog.get_logger(__name__)


def render(notice: Notice, target: Target) -> Message:
    """Say the notice to the target. Raises TargetError.

    A template of the user's that fails, or says more than the channel takes, is reported in the
    program's log and the built-in one takes its place.
    """
    channel = channel_of(target)
    return Message(
        title=_title(notice, channel) if channel.title_limit else "",
        body=_body(notice, target.template, channel),
        format=channel.format,
        notice=notice,
    )


def template_problem(target: Target) -> str | None:
    """Return what is wrong with the target's own template, tried on an example; None if nothing.

    Raises TargetError.
    """
    if target.template is None:
        return None
    kind = channel_of(target).format
    try:
        for notice in (_EXAMPLE, replace(_EXAMPLE, digest=True, incidents=2)):
            rendered_file(target.template, kind, context_of(notice, 1, _WIDTHS[0]))
    except BadTemplate as error:
        return str(error)
    return None


def _body(notice: Notice, template: Path | None, channel: Channel) -> str:
    lead = "" if channel.title_limit else _lead(notice, channel.format)
    room = replace(channel, body_limit=channel.body_limit - channel.body_size(lead))
    text = None if template is None else _own(notice, template, room)
    if text is None:
        text = _fitting(notice, room, lambda said: rendered(channel.format, said))
    return _brief(notice, channel) if text is None else lead + text


def _own(notice: Notice, template: Path, channel: Channel) -> str | None:
    """Return what the user's template says; None, and why in the log, if it cannot be sent."""
    try:
        text = _fitting(notice, channel, lambda said: rendered_file(template, channel.format, said))
    except BadTemplate as error:
        _log.warning("template failed, the built-in one is sent", error=str(error))
        return None
    if text is None:
        _log.warning(
            "template says too much, the built-in one is sent",
            template=str(template),
            limit=channel.body_limit,
        )
    return text


def _fitting(notice: Notice, channel: Channel, say: Callable[[dict[str, Any]], str]) -> str | None:
    for shown, characters in _sizes(notice):
        text = say(context_of(notice, shown, characters))
        if channel.body_size(text) <= channel.body_limit:
            return text
    return None


def _sizes(notice: Notice) -> Iterator[tuple[int, int]]:
    """Yield how many items to show, and their width: fewer before narrower."""
    shown = min(len(notice.items), DIGEST_SHOWN if notice.digest else ITEMS_SHOWN)
    while shown > 1:
        yield shown, _WIDTHS[1]
        shown -= 1
    for width in _WIDTHS:
        yield shown, width


def _brief(notice: Notice, channel: Channel) -> str:
    """Return one line, for channels that take hardly more: text messages of telephones."""
    first = notice.items[0].incident
    escape = ESCAPES[channel.format]
    place = finalise(channel.format)(look(notice, first.id))
    for width in _NAME_WIDTHS:
        line = f"{_line(notice, escape, width)} {place}"
        if channel.body_size(line) <= channel.body_limit:
            return line
    return f"Incident {first.id}"[: channel.body_limit]


def _lead(notice: Notice, kind: Format) -> str:
    line = _line(notice, ESCAPES[kind], _NAME_WIDTHS[0])
    leads = {
        "html": f"<p><b>{line}</b></p>\n",
        "text": f"{line}\n\n",
        "markdown": f"**{line}**\n\n",
    }
    return leads.get(kind, f"*{line}*\n")


def _title(notice: Notice, channel: Channel) -> str:
    for width in _NAME_WIDTHS:
        line = _line(notice, as_text, width)
        if channel.title_size(line) <= channel.title_limit:
            return line
    return f"Incident {notice.items[0].incident.id}"[: channel.title_limit]


def _line(notice: Notice, escape: Callable[[str], str], width: int) -> str:
    """Return the message in one line: how grave, about whom, why."""
    incidents = [item.incident for item in notice.items]
    gravest = _gravest(notice.items)
    start = f"[{_tag(notice.items)}] "
    if notice.digest:
        counts = ", ".join(severities(incidents))
        some = ", among them" if notice.incidents > len(incidents) else ":"
        return f"{start}{notice.incidents:,} incidents{some} {counts}"
    name = escape(cut(subject(gravest.incident), width))
    if len(incidents) == 1:
        why = escape(cut(headline(gravest), HEADLINE_WIDTH))
        return f"{start}{name}: {why} (incident {gravest.incident.id})"
    return f"{start}{len(incidents)} incidents: {name} and {len(incidents) - 1} more"


def _tag(items: tuple[Item, ...]) -> str:
    """Return how grave it is; what is over shall wake nobody, however grave it was."""
    if not all(ended(item.incident) for item in items):
        return _gravest(items).incident.severity.upper()
    return "RESOLVED" if all(item.incident.resolution for item in items) else "calm"


def _gravest(items: tuple[Item, ...]) -> Item:
    """Return the gravest of what goes on; of all if nothing does."""
    order = {name: rank for rank, name in enumerate(GRAVEST_FIRST)}
    living = [item for item in items if not ended(item.incident)]
    return min(living or items, key=lambda i: order.get(i.incident.severity, len(order)))


_EXAMPLE: Final = Notice(items=(Item(EXAMPLE, ("opened",)),), mark="example")
