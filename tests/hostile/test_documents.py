"""Rules and OpenAPI documents that would take for ever, all memory, or the process: refused.

What was taken out, one by one, and failed: each limit of `yaml_limits` (documents, values, the size
of what an alias stands for, depth, text, digits, digits of base 60, an alias within itself), and
each of the three calls of `check_yaml`; the limits of a file, a condition, a pattern and a reason;
RE2 as the engine of pySigma, Rust's check of joined patterns, and catching RecursionError; the
templates of an OpenAPI document. Without the depth that takes minutes, without the others a reason
is another one, a traceback, or none: so tests look at the reason. Not seen to fail, as the joined
pattern is checked as well: Rust's check of each pattern, which names the one that is wrong.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from detectors.catalogue import load_catalogue
from detectors.documents import CONDITION_LIMIT, FILE_LIMIT, LIMITS, REASON_LIMIT, RuleError
from detectors.patterns import PATTERN_LIMIT
from ingest.route_documents import TEMPLATES_LIMIT, RouteDocumentError, load_document
from vedette.rule_tests import _cases

RULE = """title: A rule
name: {name}
logsource: {{category: webserver}}
detection:
  selection:
    {field}: {value}
  condition: {condition}
level: low
"""


def rule(
    value: str, field: str = "cs-uri-stem|re", condition: str = "selection", name: str = "a_rule"
) -> str:
    return RULE.format(name=name, field=field, value=value, condition=condition)


def laughs(merge: str = "") -> str:
    lines = ["a: &a {x: 1}" if merge else "a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, letter in zip("abcdefghi", "bcdefghij", strict=True):
        many = ", ".join([f"*{before}"] * 10)
        lines.append(
            f"{letter}: &{letter} {{<<: [{many}]}}" if merge else f"{letter}: &{letter} [{many}]"
        )
    return "\n".join(lines) + "\n"


def _words(count: int) -> str:
    return "[" + ", ".join(f"word{number}" for number in range(count)) + "]"


REFUSED: dict[str, tuple[Callable[[], str], int, str]] = {
    "look-around": (lambda: rule("'(?=a)b'"), 1, "no look-around"),
    "long look-around": (lambda: rule("'" + "a" * 9_000 + "(?=a)'"), 1, "is invalid"),
    "back-reference": (lambda: rule(r"'(a)\1'"), 1, "no back-reference"),
    "repetition": (lambda: rule("'a{1,100000}'"), 1, "repetition size"),
    "nested repetition": (lambda: rule("'((a{1,1000}){1,1000}){1,100}'"), 1, "repetition size"),
    "large when compiled": (lambda: rule(r"'\w{1,200}\w{1,200}\w{1,200}'"), 1, "size limit"),
    "large when joined": (
        lambda: rule("[" + ", ".join([r"'\w{100}'"] * 60) + "]"),
        1,
        "size limit",
    ),
    "brackets": (lambda: rule("'" + "(" * 600 + "a" + ")" * 600 + "'"), 1, "nested"),
    "long pattern": (lambda: rule("'" + "a" * (PATTERN_LIMIT + 1) + "'"), 1, "characters"),
    "long text": (lambda: rule("'" + "a" * (LIMITS.text + 1) + "'"), 6, "a text of 65,537"),
    "long number": (lambda: rule("1") + "priority: " + "9" * 5_000, 9, "a number of 5,000"),
    "number of base 60": (lambda: rule("1") + "x: 1" + ":10" * 5_000, 9, "a number of 15,001"),
    "aliases": (laughs, 5, "more than 20,000 values"),
    "merges": (lambda: laughs("<<"), 5, "more than 20,000 values"),
    "itself": (lambda: "title: T\ndetection: &d\n  x: *d\n", 3, "*d stands inside itself"),
    "nested lists": (lambda: "title: " + "[" * 200_000, 1, "nested more than 50 deep"),
    "nested maps": (lambda: "title: " + "{a: " * 5_000, 1, "nested more than 50 deep"),
    "many values": (lambda: rule(_words(LIMITS.values + 1)), 6, "more than 20,000 values"),
    "many rules": (
        lambda: "---\n".join(rule("a", name=f"r{n}") for n in range(LIMITS.documents + 1)),
        LIMITS.documents * 9,
        "more than 1,000 documents",
    ),
    "large file": (lambda: rule("a") + "#" * FILE_LIMIT, 1, "larger than 4 MiB"),
    "long condition": (
        lambda: rule("a", condition="not " * CONDITION_LIMIT + "selection"),
        1,
        "a condition of",
    ),
    "deep condition": (
        lambda: rule("a", condition="not " * (CONDITION_LIMIT // 4 - 10) + "selection"),
        1,
        "nested too deeply",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rules_are_refused_with_file_and_line(tmp_path: Path, name: str) -> None:
    text, line, words = REFUSED[name]
    file = tmp_path / "hostile.yml"
    file.write_text(text(), encoding="utf-8")
    with pytest.raises(RuleError) as refused:
        load_catalogue({}, [tmp_path])
    assert (refused.value.file, refused.value.line) == (file, line), refused.value.reason
    assert words in str(refused.value)
    assert len(str(refused.value)) < REASON_LIMIT + 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (laughs(), "more than 20,000 values"),
        (laughs("<<"), "more than 20,000 values"),
        ("[" * 100_000, "nested more than 50 deep"),
        ("- 1" + ":10" * 5_000, "a number of 15,001"),
    ],
)
def test_tests_of_rules_have_the_same_limits(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "hostile.tests.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RuleError) as refused:
        list(_cases(file))
    assert words in str(refused.value)


PATHS = "openapi: 3.0.0\npaths:\n" + "".join(f"  /p{n}: {{get: {{}}}}\n" for n in range(100))
SERVERS = "servers: [" + ", ".join(f"{{url: /s{n}}}" for n in range(TEMPLATES_LIMIT // 50)) + "]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("openapi: 3.0.0\n" + laughs() + "paths: {}\n", "more than 5,000,000 values"),
        ("openapi: 3.0.0\n" + laughs("<<") + "paths: {}\n", "more than 5,000,000 values"),
        ("openapi: 3.0.0\npaths: " + "[" * 100_000, "nested more than 200 deep"),
        ("openapi: 3.0.0\npaths: &p\n  /a: *p\n", "stands inside itself"),
        ("openapi: 3.0.0\nx: " + "9" * 100_000, "a number of 100,000 digits"),
        (SERVERS + PATHS, "under all its servers"),
    ],
)
def test_openapi_documents_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RouteDocumentError) as refused:
        load_document(file)
    assert words in str(refused.value)
    assert str(file) in str(refused.value)
