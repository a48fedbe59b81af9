r"""Hostile text for each channel: the one place that makes text from logs harmless in messages.

Everything that comes from a log, or from people about it, passes here in two steps. `defanged`
makes invisible characters visible (\u202e) and breaks with brackets what a channel or a mail
program would turn into a link or a mention, even where nothing marks it as one:
http[:]//evil[.]example, someone[@]example[.]org, [@]here, [#]general. Addresses of the internet
protocol stay as they are, to be copied. Then each format's own function takes markup away.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from ipaddress import ip_network
from typing import Final, Literal
from urllib.parse import quote

from markupsafe import Markup

from ingest.masking import printable

#: How a message is written.
Format = Literal["text", "markdown", "html", "slack"]

#: Letters and marks that show nothing, beside what Unicode calls unprintable.
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)

#: Marks on one letter that are shown; more climb over the neighbouring lines.
_MARKS_SHOWN: Final = 3

_WORD: Final = re.compile(r"\S+")
_AROUND: Final = "()[]{}<>,;.:!?\"'"

#: What is put into brackets, so that no program sees a link or a mention in it.
_FANGS: Final = re.compile(
    r"(?<=[^\W\d_]):(?=\S)"  # scheme: mailto:
    r"|:(?=[/\\])"  # ://
    r"|(?<=[\w\-\])}])[.\u3002\uff0e\uff61](?=[^\W\d_])"  # host.example, as browsers read it
    r"|(?<=www)[.\u3002\uff0e\uff61]"
    r"|[@\uff20\ufe6b]"
    r"|#(?=\w)"
    r"|(?<=<)!"  # <!here>
    r"|(?<=\\)\\(?=\w)",  # \\server
    re.IGNORECASE,
)
_ADDRESS_WITHIN: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){2})\.([0-9]{1,3})(?![0-9])")

#: Words that no dialect of Markdown takes for more than words; others, and addresses, go in code
#: spans.
_PLAIN_WORD: Final = re.compile(
    r"\(?(?:[^\W_]+(?:[.,/%-][^\W_]+)*%?|[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)\)?[,.:;]?"
)
_NUMBERED: Final = re.compile(r"[0-9]+[.)]")


class Link(str):
    """An address that settings gave, not a log: shown and linked as it is."""

    __slots__ = ()


class Command(str):
    """A command of ours, with options that the settings' place gave: to be pasted as it is."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""Return one line in which every character shows: others as \xNN or \uNNNN."""
    shown = _BLANK.sub(lambda match: _code(match[0]), printable(text))
    if shown.isascii():
        return shown
    marks = 0
    kept = []
    for char in shown:
        marks = marks + 1 if unicodedata.combining(char) else 0
        kept.append(char if marks <= _MARKS_SHOWN else _code(char))
    return "".join(kept)


def defanged(text: str) -> str:
    """Return one visible line without anything that programs make links or mentions of."""
    return _WORD.sub(lambda match: _defanged_word(match[0]), visible(text))


def as_text(text: str) -> str:
    """Return hostile text for plain text: mail, JSON, XML, forms, labels, titles."""
    return defanged(text)


def as_html(text: str) -> str:
    """Return hostile text for the inside of an element or a quoted attribute."""
    return html.escape(defanged(text), quote=True)


def as_markdown(text: str) -> str:
    """Return hostile text for Markdown of any dialect: words that might be markup as code."""
    return _coded(defanged(text), lambda words: words)


def as_slack(text: str) -> str:
    """Return hostile text for Slack's mrkdwn: as Markdown, and its three controls as entities."""
    return _coded(defanged(text), _entities)


def finalise(kind: Format) -> Callable[[object], object]:
    """Return what templates of the format do to every value that they print."""
    escape = ESCAPES[kind]

    def escaped(value: object) -> object:
        if isinstance(value, Link):
            return _link(value, kind)
        if isinstance(value, Command):
            return _command(value, kind)
        if kind == "html":
            return value if isinstance(value, Markup) else Markup(escape(str(value)))  # noqa: S704
        return escape(str(value))

    return escaped


#: What makes hostile text harmless in a message of the format.
ESCAPES: Final[dict[Format, Callable[[str], str]]] = {
    "text": as_text,
    "markdown": as_markdown,
    "html": as_html,
    "slack": as_slack,
}


def _defanged_word(word: str) -> str:
    if _is_address(word.strip(_AROUND)) or _is_address(word):
        return word
    broken = _ADDRESS_WITHIN.sub(r"\1[.]\2", word)
    return _FANGS.sub(lambda match: f"[{match[0]}]", broken)


def _is_address(word: str) -> bool:
    if not any(char in word for char in ".:"):
        return False
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return True


def _coded(text: str, inside: Callable[[str], str]) -> str:
    """Put words that might be markup into code spans, neighbours into one."""
    said: list[str] = []
    odd: list[str] = []
    for word in text.split(" "):
        if _might_be_markup(word, first=not said and not odd):
            odd.append(word)
            continue
        said += _span(odd, inside)
        odd = []
        said.append(word)
    return " ".join([*said, *_span(odd, inside)])


def _might_be_markup(word: str, *, first: bool) -> bool:
    if not word:
        return False
    if first and _NUMBERED.fullmatch(word):
        return True
    return not _PLAIN_WORD.fullmatch(word) or _is_address(word.strip(_AROUND))


def _span(words: list[str], inside: Callable[[str], str]) -> list[str]:
    if not words:
        return []
    text = " ".join(words).replace("`", _QUOTE)
    code = text[:-1] if len(text) > 1 and text[-1] in ",;:" else text
    return [f"`{inside(code)}`{text[len(code) :]}"]


#: Stands for a backtick, which would end a code span.
_QUOTE: Final = "'"


def _entities(text: str) -> str:
    return html.escape(text, quote=False)


def _link(link: Link, kind: Format) -> object:
    address = quote(str(link), safe=":/?#[]@!$&()*+,;=%~")
    if kind == "html":
        return Markup(html.escape(address, quote=True))  # noqa: S704
    return _entities(address) if kind == "slack" else address


def _command(command: Command, kind: Format) -> object:
    if kind == "html":
        return Markup(html.escape(command, quote=True))  # noqa: S704
    return _entities(command) if kind == "slack" else str(command)


def _code(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
