"""Each channel's escape, on its own."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from alerts.messages.escaping import (
    ESCAPES,
    Format,
    Link,
    as_html,
    as_markdown,
    as_slack,
    as_text,
    defanged,
    finalise,
    visible,
)

#: Characters that matter to some channel, next to each other more often than by chance.
PIECES = st.sampled_from(
    [
        *"<>&|!@#*_~`[]()\\\"'/.:,;-+=?% \t\n\r1aÀж日\x1b\x00",
        *("www.", "http", "://", "here", "evil.example", "1.2.3.4", "::1", "10."),
        *("\u202e", "\u200b", "\u0301", "\u3002", "\uff20"),
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("fe80::1", "fe80::1"),
        ("Client 203.0.113.7: 43 missing paths.", "Client 203.0.113.7: 43 missing paths."),
        ("route shop GET /api/v1.2/items", "route shop GET /api/v1.2/items"),
        (
            "from 09:00:00 to 09:02:00 UTC, limit 1,000",
            "from 09:00:00 to 09:02:00 UTC, limit 1,000",
        ),
        ("http://evil.example/x.php", "http[:]//evil[.]example/x[.]php"),
        ("http://192.0.2.1/x", "http[:]//192.0.2[.]1/x"),
        ("someone@example.org", "someone[@]example[.]org"),
        ("@here #general", "[@]here [#]general"),
        ("\\\\server\\share", "\\[\\]server\\share"),
        ("www.1", "www[.]1"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("x\u3164y", "x\\u3164y"),
        ("\U000e0100", "\\U000e0100"),
    ],
)
def test_defanged(text: str, said: str) -> None:
    assert defanged(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Client 203.0.113.7: 43 paths (limit 10).", "Client `203.0.113.7`: 43 paths (limit 10)."),
        ("a *b* c", "a `*b*` c"),
        ("a *b* _c_ d", "a `*b* _c_` d"),
        ("1. one 2. two", "`1.` one 2. two"),
        ("- item", "`-` item"),
        ("it`s", "`it's`"),
        ("```", "`'''`"),
        ("", ""),
        ("two  blanks", "two  blanks"),
        ("a & b", "a `&` b"),
    ],
)
def test_markdown(text: str, said: str) -> None:
    assert as_markdown(text) == said


def test_slack_has_its_three_controls_as_entities() -> None:
    assert as_slack("a & <b> `c`") == "a `&amp; &lt;b&gt; 'c'`"


def test_html_is_escaped_for_attributes_too() -> None:
    assert as_html("<a href=\"x\" title='y'>&") == (
        "&lt;a href=&quot;x&quot; title=&#x27;y&#x27;&gt;&amp;"
    )


@given(TEXTS)
def test_one_visible_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not re.search("[\u0300-\u036f]{4}", shown)
    assert visible(shown) == shown


@given(TEXTS)
def test_no_link_and_no_mention(text: str) -> None:
    said = defanged(text)
    assert said.isprintable()
    assert not re.search(r"://|www\.|mailto:|(?<!\[)[@\uff20]|[@\uff20](?!\])|<!", said, re.I)
    assert not re.search(r"\w[.\u3002\uff0e\uff61][^\W\d_]", said)


@given(TEXTS)
def test_no_markup(text: str) -> None:
    for said in (as_markdown(text), as_slack(text)):
        assert said.count("`") % 2 == 0
        bare = re.sub(r"`[^`]+`", "", said)
        assert not re.search(r"[`*_~<>\[\]|#\\{}\"'!&@=+$^?]", bare), said
        assert not re.match(r"\s*(?:[-+>]|[0-9]+[.)](?:\s|$))", bare if said[:1] != "`" else "x")
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", as_slack(text))
    assert not re.search(r"[<>\"']", as_html(text))


@given(TEXTS)
def test_nothing_is_lost_but_backticks(text: str) -> None:
    said = as_text(text)
    assert html.unescape(as_html(text)) == said
    assert html.unescape(as_slack(text)).replace("`", "") == html.unescape(
        said.replace("`", "'").replace("&", "&amp;")
    )


@given(TEXTS)
def test_only_brackets_are_added_to_what_is_visible(text: str) -> None:
    assert re.sub(r"[\[\]]", "", defanged(text)) == re.sub(r"[\[\]]", "", visible(text))


@pytest.mark.parametrize("kind", list(ESCAPES))
def test_links_of_settings_stay_links(kind: Format) -> None:
    link = "https://vedette.example:8443/incidents/17"
    assert str(finalise(kind)(Link(link))) == link
    hostile = str(finalise(kind)(Link('https://x.example/<a>|`b`"')))
    assert not re.search('[<>|`"]', hostile)


def test_markup_of_html_templates_stays_and_text_does_not() -> None:
    escape = finalise("html")
    assert escape(Markup("<b>")) == Markup("<b>")
    assert escape("<b>") == Markup("&lt;b&gt;")
    assert finalise("text")(Markup("@here")) == "[@]here"
