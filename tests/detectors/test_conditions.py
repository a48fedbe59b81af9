"""What conditions match beyond the plain ones: decoded texts, time parts, references, lists."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from detectors.conditions import UnsupportedConditionError, compile_condition
from detectors.decoded import decoded, with_decoded
from detectors.documents import RuleError, examine, read_rules
from detectors.fields import UnknownFieldError, column
from detectors.literals import required_literals
from detectors.placeholders import DEFAULTS, expand
from detectors.screening import Screens, needs
from detectors.selecting import Selections
from detectors.series import Part
from detectors.texts import Facts, Texts

from .streams import event, frame

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


def parsed(detection: dict[str, Any], **given: list[str]) -> object:
    """The condition of a rule that has this detection."""
    rule = {"title": "t", "logsource": {"category": "webserver"}, "detection": detection}
    made = SigmaRule.from_dict(rule)
    expand(made, given)
    (condition,) = made.detection.parsed_condition
    return condition.parsed


def accepts(detection: dict[str, Any], **fields: Any) -> bool:
    """Whether the detection accepts an event with these fields, decoded as the kernel sees it."""
    node = parsed({"condition": "s", **detection})
    events = with_decoded(frame([event(**fields)]))
    accepted = events.select(compile_condition(node)).to_series()
    assert accepted.null_count() == 0
    screen = needs(node)
    if screen is not None and accepted.item():
        assert 7 in Screens([(7, screen)]).candidates(events)
    return bool(accepted.item())


@pytest.mark.parametrize(
    ("item", "fields", "expected"),
    [
        ({"cs-uri-stem|contains": "/.env"}, {"path": "/%2eenv"}, True),
        ({"cs-uri-stem|contains": "/.env"}, {"path": "/%252Eenv"}, True),
        ({"cs-uri-stem|contains": "/.env"}, {"path": "/%25252eenv"}, False),
        ({"cs-uri-stem": "/.env"}, {"path": "/%u002eenv"}, True),
        ({"cs-uri-stem|contains": "../"}, {"path": "/%c0%ae%C0%AE/"}, True),
        ({"cs-uri-stem|contains": "%2e"}, {"path": "/%2Eenv"}, True),
        ({"cs-uri-stem|contains": "ä"}, {"path": "/%C3%84"}, True),
        ({"cs-uri-stem|endswith": " b"}, {"path": "/a+b"}, False),
        ({"cs-uri-query|contains": "union select"}, {"query": "q=UNION+SELECT"}, True),
        ({"cs-uri-query|contains": "union+select"}, {"query": "q=union%2Bselect"}, True),
        ({"cs-uri-query|re": "(?i)<script"}, {"query": "q=%3CScript"}, True),
        ({"cs-uri|contains": "/a b?c=<"}, {"path": "/a%20b", "query": "c=%3c"}, True),
        ({"cs-uri": "/x?a=<"}, {"path": "/x", "query": "a=%3c"}, True),
        ({"cs-uri|startswith": "/x?"}, {"path": None, "query": "a=b"}, False),
        ({"cs-uri-extension": "php"}, {"path": "/a.b/x.PHP"}, True),
        ({"cs-uri-extension": "php"}, {"path": "/x%2ephp"}, True),
        ({"cs-uri-extension": ["php", "asp"]}, {"path": "/php/x"}, False),
        ({"cs-uri-stem|exists": True}, {"path": "/%41"}, True),
        ({"cs-uri-stem|startswith": "kiss"}, {"path": "\u212aiss"}, True),
        ({"cs-uri-stem|re": "(?i)select"}, {"path": "\u017felect"}, True),
        ({"cs-uri-stem|startswith": "i\u0307tem"}, {"path": "\u0130tem"}, True),
    ],
)
def test_encoded_requests(item: dict[str, Any], fields: dict[str, Any], expected: bool) -> None:
    assert accepts({"s": item}, **fields) is expected


def test_not_looks_at_both_texts() -> None:
    detection = {
        "s": {"cs-method": "GET"},
        "f": {"cs-uri-stem|contains": "a b"},
        "condition": "s and not f",
    }
    assert not accepts(detection, path="/a%20b")
    assert accepts(detection, path="/a-b")


def test_conditions_do_without_the_decoded_columns() -> None:
    node = parsed({"s": {"cs-uri|contains": "/a?b"}, "condition": "s"})
    events = frame([event(path="/a", query="b"), event(path="/%61", query="b")])
    assert events.select(compile_condition(node)).to_series().to_list() == [True, False]


@pytest.mark.parametrize(
    ("item", "fields", "expected"),
    [
        ({"cs-username": ""}, {"user": None}, True),
        ({"cs-username": "-"}, {"user": None}, True),
        ({"cs-username": ["-", "anonymous"]}, {"user": None}, True),
        ({"cs-username": ["-", "anonymous"]}, {"user": "Anonymous"}, True),
        ({"cs-username": ["-", "anonymous"]}, {"user": "ann"}, False),
        ({"sc-bytes": "-"}, {"response_bytes": None}, True),
        ({"cs-username|contains": "-"}, {"user": None}, False),
        ({"cs-username": []}, {"user": None}, True),
        ({"cs-host|fieldref": "cs-referer"}, {"host": "A.test", "referrer": "a.TEST"}, True),
        ({"cs-host|fieldref": "cs-referer"}, {"host": "a.test", "referrer": None}, False),
        ({"cs-referer|fieldref|contains": "cs-host"}, {"host": "b", "referrer": "aBc"}, True),
        ({"cs-referer|fieldref|startswith": "cs-host"}, {"host": "b", "referrer": "abc"}, False),
        ({"cs-referer|fieldref|endswith": "cs-host"}, {"host": "bc", "referrer": "abc"}, True),
        ({"cs-bytes|fieldref": "sc-bytes"}, {"request_bytes": 3, "response_bytes": 3}, True),
        ({"cs-username|fieldref": "sc-status"}, {"user": "200", "status": 200}, True),
        ({"timestamp|hour": 8}, {}, True),
        ({"timestamp|hour|gte": 9}, {}, False),
        ({"timestamp|day": 2, "timestamp|month": 11, "timestamp|year": 2026}, {}, True),
        ({"timestamp|week": 45}, {}, True),
        ({"timestamp|minute|lt": 1}, {}, True),
        ({"sc-status|neq": 200}, {"status": 404}, True),
        ({"sc-status|neq": [200, 404]}, {"status": 404}, False),
        ({"object_id|gt": 16}, {"path": "/orders/17/items"}, True),
        ({"object_id": 17}, {"path": "/v2/orders/17"}, True),
        ({"object_id|gt": 0}, {"path": "/orders/1234567890123456789"}, False),
        ({"cs-uri-query|base64": "/etc/passwd"}, {"query": "L2V0Yy9wYXNzd2Q="}, True),
        ({"cs-uri-query|base64offset|contains": "http://"}, {"query": "u=aHR0cDovL2E"}, True),
        ({"cs-uri-query|base64offset|contains": "http://"}, {"query": "u=IGh0dHA6Ly8x"}, True),
        ({"cs-uri-query|base64offset|contains": "http://"}, {"query": "u=aHR0c"}, False),
        ({"cs-uri-query|wide|base64offset|contains": "cmd"}, {"query": "YwBtAGQA"}, True),
        ({"cs-uri-query|contains|windash": " -enc"}, {"query": "x /enc"}, True),
        ({"cs-uri-query|re|i|s": "a.b"}, {"query": "A\nB"}, True),
        ({"cs-uri-query|re|m": "^b$"}, {"query": "a\nb"}, True),
        ({"cs-uri-query|cased|contains": "Ab"}, {"query": "ab"}, False),
        ({"c-ip|cidr": ["10.0.0.0/8", "2001:db8::/32"]}, {"client_ip": "2001:db8::1"}, True),
        ({"src_ip": "203.0.113.7"}, {}, True),
        ({"r-dns|endswith": ".test"}, {"host": "a.test"}, True),
        ({"cs-uri-stem|contains|all": ["a", "*b"]}, {"path": "/xbxa"}, True),
        ({"sc-status": "4*"}, {"status": 404}, True),
    ],
)
def test_values(item: dict[str, Any], fields: dict[str, Any], expected: bool) -> None:
    assert accepts({"s": item}, **fields) is expected


@pytest.mark.parametrize(
    ("keywords", "fields", "expected"),
    [
        (["=select ", "x"], {"query": "q=SELECT+1"}, True),
        ({"|all": ["abc", "def"]}, {"path": "/abc", "user_agent": "def"}, True),
        ({"|all": ["abc", "def"]}, {"path": "/abc", "user_agent": "de"}, False),
        ({"|re": "^/a\\?b"}, {"path": "/a", "query": "b"}, True),
        (["/a.php?cmd="], {"path": "/a.php", "query": "cmd=id"}, True),
        ([404], {"path": "/x404"}, True),
        (["a*c"], {"referrer": "xaxcx"}, True),
        ({"|cased": "ABC"}, {"path": "/abc"}, False),
        ({"|expand": "%mine%"}, {"path": "/one-two"}, True),
    ],
)
def test_keywords(keywords: Any, fields: dict[str, Any], expected: bool) -> None:
    node = parsed({"s": keywords, "condition": "s"}, mine=["two", "three"])
    events = with_decoded(frame([event(**fields)]))
    assert events.select(compile_condition(node)).to_series().to_list() == [expected]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"cs-cookie|contains": "x"}, "cookies are not kept"),
        ({"cs-uri-stm": "x"}, "did you mean 'cs-uri-stem'"),
        ({"timestamp": "2026"}, "by its parts"),
        ({"sc-status|hour": 3}, "only timestamp has a hour"),
        ({"cs-method|gt": 3}, "needs a number field"),
    ],
)
def test_refusals(item: dict[str, Any], reason: str) -> None:
    with pytest.raises((UnsupportedConditionError, UnknownFieldError), match=reason):
        compile_condition(parsed({"s": item, "condition": "s"}))


def test_a_derived_field_is_not_a_column_to_group_by() -> None:
    assert column("object_id") == "object_id"
    with pytest.raises(UnknownFieldError):
        column("cs-uri-extension")


def test_placeholders_have_defaults_that_can_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "r.yml"
    file.write_text(
        "title: T\nlogsource: {category: webserver}\n"
        "detection: {s: {cs-uri-stem|expand: '%login_paths%'}, condition: s}\n",
        encoding="utf-8",
    )
    events = frame([event(path="/v1/Login"), event(path="/enter")])

    def accepted(given: dict[str, list[str]]) -> list[bool]:
        (document,) = read_rules(file, given)
        (condition,) = document.conditions
        assert document.placeholders == {
            "login_paths": tuple(given.get("login_paths", DEFAULTS["login_paths"]))
        }
        return events.select(compile_condition(condition)).to_series().to_list()

    assert accepted({}) == [True, False]
    assert accepted({"login_paths": ["*/enter"]}) == [False, True]


def test_an_unknown_placeholder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "r.yml"
    file.write_text(
        "\ntitle: T\nlogsource: {category: webserver}\n"
        "detection: {s: {cs-uri-stem|expand: '%login_path%'}, condition: s}\n",
        encoding="utf-8",
    )
    with pytest.raises(RuleError, match=r"r\.yml:2: .*did you mean %login_paths%") as refused:
        read_rules(file)
    assert "[rules.placeholders]" in str(refused.value)


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_default_lists_are_whole_patterns(name: str) -> None:
    values = DEFAULTS[name]
    assert len(set(values)) == len(values)
    assert all(value.startswith("*") and value == value.lower() for value in values)


def test_all_of_a_file_is_examined(tmp_path: Path) -> None:
    good = "title: T\nlogsource: {category: webserver}\ndetection: {s: {c-ip: a}, condition: s}\n"
    file = tmp_path / "r.yml"
    file.write_text(
        f"{good}---\n- a\n---\n{good}id: [1]\n---\n{good}date: 2026-02-30\n---\n{good}---\na: [\n",
        encoding="utf-8",
    )
    outcomes = list(examine(file))
    refused = [o.reason.partition(":")[0] for o in outcomes if isinstance(o, RuleError)]
    assert len(outcomes) == 6
    assert refused[0].startswith("a rule must be a mapping")
    assert "wrong kind" in str(outcomes[2])
    assert "a value that cannot be" in str(outcomes[3])
    assert len(refused) == 4


def test_a_refused_expression_is_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.yml"
    file.write_text(
        "title: T\nlogsource: {category: webserver}\n"
        "detection: {s: {c-uri|re: '(?=a)b'}, condition: s}\n",
        encoding="utf-8",
    )
    (refused,) = examine(file)
    assert "(?=" in str(refused)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("abc", {"abc"}),
        (r"(?i)Union\s+SELECT", {"select"}),
        ("a(?:bcd|efgh)i", {"bcd", "efgh"}),
        ("abcd|efg+", {"abcd", "efg"}),
        ("(a|b)?xyz", {"xyz"}),
        ("abc{2}d", {"abc"}),
        ("x{0,3}yz", {"yz"}),
        (r"\.(zip|asp)\?d=[0-9]{1,3}", {"zip", "asp"}),
        ("[a[b]c]def", {"def"}),
        ("[[:alpha:]]def", {"def"}),
        ("[]a]def", {"def"}),
        (r"\x41bcd\pLef", {"bcd"}),
        (r"\<word\>", {"word"}),
        ("(?P<name>abcd)+", {"abcd"}),
        ("ÄabcÖ", {"abc"}),
        ("(?x) a b c", None),
        ("abc|", None),
        ("(?:abc)*", None),
        (r"\d{3}", None),
        ("", None),
    ],
)
def test_what_an_expression_cannot_match_without(pattern: str, expected: set[str] | None) -> None:
    assert required_literals(pattern) == expected


WORDS = st.sampled_from(
    [
        "abc",
        "/login",
        "kiss",
        "select",
        "a b",
        "%2e",
        "..",
        "x",
        "php",
        "ä",
        "l?o",
        CHROME,
        "/login?n",
    ]
)
DISGUISES: list[dict[str, str]] = [
    {},
    {"k": "\u212a", "s": "\u017f", "i": "\u0130"},
    {"l": "%6c", "a": "%61", "c": "%2563", " ": "+"},
    {"?": "%3f", "/": "%c0%af", ".": "%2E"},
]
PIECES = st.one_of(
    st.builds(
        lambda word, disguise: "".join(disguise.get(sign, sign) for sign in word),
        st.one_of(WORDS, WORDS.map(str.upper)),
        st.sampled_from(DISGUISES),
    ),
    st.sampled_from(["?", "/", ".", "-"]),
)
TEXT = st.lists(PIECES, min_size=1, max_size=3).map("".join)
FIELDS = st.sampled_from(["cs-uri-stem", "cs-uri-query", "cs-uri", "c-useragent", "cs-method"])
MODIFIERS = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|contains|all"])
PATTERNS = st.sampled_from(
    ["(?i)kiss", "a.c", "(abc|select)", "x+php", "^/login$", "[abc]{2}", r"\.\./", "(?i)SS|php"]
)


@st.composite
def detections(draw: st.DrawFn) -> dict[str, Any]:
    """A detection of up to three selections, joined in some way."""
    found: dict[str, Any] = {}
    for name in ("sa", "sb", "sc"):
        items: dict[str, Any] = {}
        for _ in range(draw(st.integers(1, 2))):
            field = draw(FIELDS)
            if draw(st.booleans()):
                values = draw(st.lists(st.one_of(WORDS, TEXT), min_size=1, max_size=3))
                items[field + draw(MODIFIERS)] = values
            else:
                items[field + "|re"] = draw(PATTERNS)
        found[name] = draw(st.one_of(st.just(items), st.lists(WORDS, min_size=1, max_size=3)))
    joined = ["1 of s*", "all of s*", "sa and not sb", "sa or (sb and sc)", "sa and (sb or not sc)"]
    return {**found, "condition": draw(st.sampled_from(joined))}


EVENTS = st.lists(
    st.builds(
        lambda path, query, agent, method: event(
            path=path, query=query, user_agent=agent, method=method
        ),
        st.one_of(st.none(), TEXT),
        st.one_of(st.none(), TEXT),
        st.one_of(st.none(), TEXT, st.just(CHROME)),
        st.sampled_from(["GET", "abc"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(detections(), min_size=1, max_size=4), EVENTS)
def test_what_a_rule_accepts_is_among_its_candidates(
    rules: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    batch = with_decoded(frame(events))
    nodes = [parsed(detection) for detection in rules]
    known = {n: screen for n, node in enumerate(nodes) if (screen := needs(node)) is not None}
    candidates = Screens(known.items()).candidates(batch)
    for number in known:
        accepted = batch.select(compile_condition(nodes[number])).to_series().arg_true()
        rows = candidates.get(number, pl.Series([], dtype=pl.UInt32()))
        assert rows.dtype == pl.UInt32()
        assert set(accepted) <= set(rows)
        assert rows.is_sorted()


@settings(deadline=None, max_examples=150)
@example(
    [{"s": {"cs-uri-stem|contains": "/.env"}, "condition": "not s"}],
    [event(path="/%2eenv"), event(path="/x"), event(path=None)],
)
@given(st.lists(detections(), min_size=1, max_size=4), EVENTS)
def test_what_is_asked_of_distinct_texts_is_true_of_every_event(
    rules: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    nodes = [parsed(detection) for detection in rules]
    batch = frame([*events, *events])
    facts = Facts()
    quickly = [facts.compiled(node).alias(str(n)) for n, node in enumerate(nodes)]
    plainly = [compile_condition(node).alias(str(n)) for n, node in enumerate(nodes)]
    decoded = with_decoded(batch)
    told = decoded.hstack(facts.of(Texts(batch)))
    assert told.select(quickly).equals(decoded.select(plainly))


@settings(deadline=None, max_examples=150)
@given(st.lists(detections(), min_size=1, max_size=4), EVENTS)
def test_parts_accept_what_their_conditions_say(
    rules: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    nodes = [parsed(detection) for detection in rules]
    status = pl.col("status") == 200
    parts = [Part(str(n), "", compile_condition(node), (node,)) for n, node in enumerate(nodes)]
    parts += [Part(f"{p.name}+", "", p.expr & status, p.conditions, status) for p in parts]
    batch = frame(events)
    selections = Selections(parts)
    for _ in range(2):  # what is common in one batch is tried everywhere in the next
        rows = selections.rows(batch)
        for part in parts:
            accepted = with_decoded(batch).select(part.expr).to_series().arg_true()
            assert rows[part].tolist() == accepted.to_list()


@settings(deadline=None, max_examples=150)
@given(
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from(DISGUISES),
    st.sampled_from(["cs-uri|contains", "c-uri|re|i", "c-uri", "cs-uri|startswith", "", "|re|i"]),
    st.sampled_from(["", "x", "/login"]),
)
def test_a_disguised_word_is_among_the_candidates(
    words: list[str], disguise: dict[str, str], key: str, before: str
) -> None:
    sought = [re.escape(word) for word in words] if "re" in key else words
    text = before + "".join(disguise.get(sign, sign) for sign in words[0].upper().lower())
    path, mark, query = text.partition("?")
    accepts({"s": {key: sought} if key else sought}, path=path, query=query if mark else None)
    accepts({"s": {key: sought} if key else sought}, path="/", query=text)


def test_a_screen_takes_the_most_telling_part() -> None:
    node = parsed(
        {
            "s": {"cs-method": "POST", "cs-uri-stem|contains": "/mgmt/tm/util/bash"},
            "f": {"c-useragent|contains": "Mozilla/5.0"},
            "condition": "s and f",
        }
    )
    screen = needs(node)
    assert screen is not None
    assert {need.literal for need in screen} == {"/mgmt/tm/util/bash"}
    assert {need.column for need in screen} == {"path", "path_decoded"}


def test_texts_that_overlap_are_all_found() -> None:
    words = ["abcd", "bcde", "abcde", "cde"]
    nodes = [parsed({"s": {"cs-uri-stem|contains": w}, "condition": "s"}) for w in words]
    screens = Screens((n, screen) for n, node in enumerate(nodes) if (screen := needs(node)))
    events = frame([event(path="/x"), event(path="/ABCDE"), event(path="/abcd")])
    found = {rule: rows.to_list() for rule, rows in screens.candidates(events).items()}
    assert found == {0: [1, 2], 1: [1], 2: [1], 3: [1]}
    assert Screens([]).candidates(events) == {}
    assert screens.candidates(events.head(0)) == {}


@pytest.mark.parametrize(
    "item",
    [
        {"sc-status": 404},
        {"cs-uri-stem|contains": "ab"},
        {"cs-uri-stem|re": "[0-9]{9}"},
        {"cs-username": "-"},
        {"c-ip|cidr": "10.0.0.0/8"},
        {"c-useragent|neq": "curl/8.5.0"},
        {"cs-uri-stem|contains": ["abcdef", "x"]},
    ],
)
def test_no_screen_where_nothing_must_be_there(item: dict[str, Any]) -> None:
    assert needs(parsed({"s": item, "condition": "s"})) is None


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=8))
def test_decoding_is_of_every_text_by_itself(texts: list[str | None]) -> None:
    column = pl.Series("path", texts, dtype=pl.String())
    together = decoded(column)
    apart = pl.concat([decoded(column[n : n + 1]) for n in range(len(texts))])
    assert together.to_list() == apart.to_list()
    assert all(new != old for new, old in zip(together, texts, strict=True) if new is not None)


def test_nonsense_is_no_condition() -> None:
    with pytest.raises(UnsupportedConditionError):
        compile_condition("nonsense")
    with pytest.raises(SigmaError):
        parsed({"s": {"cs-method|nonsense": "x"}, "condition": "s"})
