"""Filters of templates: times, counts, and text as it is safe to show."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from markupsafe import Markup

from alerts.incidents.summary import duration
from alerts.routing.matchers import literal
from api.page.headline import headline, subject
from ingest.masking import printable
from ingest.times import iso

#: A word that tells two rows from each other, as part of an element's id.
_DIGITS: Final = 12


def plain(value: object) -> object:
    """Return what a template writes: texts without control and bidirectional characters.

    Lines and tabs stay. Markup made by templates passes as it is, everything else is escaped
    after this.
    """
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "\n".join(
        "\t".join(printable(cell) for cell in line.split("\t")) for line in value.split("\n")
    )


def stamp(time: datetime) -> str:
    """Write a time with its date, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def clock(time: datetime) -> str:
    """Write a time without its date, in UTC."""
    return f"{time.astimezone(UTC):%H:%M:%S}"


def count(number: int) -> str:
    """Write a number as people read it: 12,345."""
    return f"{number:,}"


def lasting(first: datetime, last: datetime) -> str:
    """Write how long something lasted, in the unit that people would use."""
    seconds = int((last - first).total_seconds())
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def portion(number: int, whole: int) -> str:
    """Write how much of something that is, in percent."""
    percent = 100 * number / max(whole, 1)
    if percent >= 10 or not number:  # noqa: PLR2004 - then nobody needs more
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"  # noqa: PLR2004


def seconds(length: float) -> str:
    """Write a length in seconds as people do."""
    return duration(timedelta(seconds=length))


def slug(text: str) -> str:
    """Return a text as part of an element's id: the same for the same text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def spaced(name: str) -> str:
    """Write a name of the code as words: false_positive becomes false positive."""
    return name.replace("_", " ")


FILTERS: Final = {
    "clock": clock,
    "count": count,
    "duration": duration,
    "headline": headline,
    "iso": iso,
    "lasting": lasting,
    "literal": literal,
    "portion": portion,
    "seconds": seconds,
    "slug": slug,
    "spaced": spaced,
    "stamp": stamp,
    "subject": subject,
}
