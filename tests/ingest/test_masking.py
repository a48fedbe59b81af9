"""Masking and evidence: secrets go, ordinary text stays, and printing is safe."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import EVENT_SCHEMA
from ingest.evidence import EVIDENCE_SCHEMA, evidence_columns, query_keys, user_agent_family
from ingest.mask_rules import ENDINGS, RULES, SENSITIVE, WORDS_OF_KEYS, MaskRule
from ingest.masking import mask, mask_series, printable

SECRET = "hunter2"

MASKED = [
    "token=hunter2",
    "a=1&access_token=hunter2&b=2",
    "X-Api-Key: hunter2",
    "x-api-key=hunter2",
    "user[password]=hunter2",
    "user%5Bpassword%5D=hunter2",
    "session_id=hunter2; lang=en",
    "JSESSIONID=hunter2",
    "Set-Cookie: hunter2",
    '{"password": "hunter2, and more", "n": 1}',
    '{"client_secret":"hunter2"}',
    '{\\"password\\":\\"hunter2\\"}',
    "{'pin': 'hunter2'}",
    "%7B%22password%22%3A%22hunter2%22%7D",
    "Authorization: Basic hunter2",
    "authorization=Bearer%20hunter2",
    "bearer hunter2",
    "https://user:hunter2@example.com/x",
    "SIG=hunter2",
    "otp=hunter2&code=hunter2",
    "jane.hunter2@example.com",
    "jane%40hunter2.example",
    "hunter2@163.com",
    "Cookie: PHPSESSID=x; theme=dark; uid=hunter2",
    "Set-Cookie: connect.sid=s%3Ahunter2; Path=/",
    "/app/login;jsessionid=hunter2ABC?x=1",
    "/app;JSESSIONID=hunter2.node1/path",
    "PHPSESSID=hunter2",
    "ASP.NET_SessionId=hunter2",
    "ASPSESSIONIDQCBDTBBR=hunter2",
    "wordpress_logged_in_37d007a56d816107=hunter2",
    ".AspNetCore.Cookies=hunter2",
    "remember_me=hunter2",
    "AWSAccessKeyId=hunter2",
    "X-Amz-Signature=hunter2",
    "AccountKey=hunter2==;EndpointSuffix=x",
    "SharedAccessSignature=hunter2",
    "connectionString=hunter2",
    "code_verifier=hunter2",
    "passwordConfirm=hunter2",
    "password_confirmation=hunter2",
    "passwort=hunter2",
    "pw=hunter2",
    "userpass=hunter2",
    "login_hint=hunter2",
    "g-recaptcha-response=hunter2",
    "__csrf_magic=key:hunter2",
    '{"authorization": "Bearer hunter2.x y"}',
    '"Authorization": ["Bearer hunter2"]',
    'Authorization: Digest username="bob", response="hunter2"',
    "Authorization: AWS4-HMAC-SHA256 Credential=x/20260101, Signature=hunter2",
    "Authorization: ApiKey hunter2",
    "GET //bob:hunter2@example.com/x",
    "url=http%3A%2F%2Fbob%3Ahunter2%40example.com%2F",
    "token%253Dhunter2",
    "password\\x3Dhunter2",
    "{\\x22password\\x22:\\x22hunter2, and more hunter2\\x22}",
    "{\\u0022password\\u0022: \\u0022hunter2 hunter2\\u0022}",
    "{&quot;password&quot;:&quot;hunter2 hunter2&quot;}",
    "<password>hunter2</password>",
    "<wsse:Password Type='x'>hunter2",
    "%3Cpassword%3Ehunter2%3C/password%3E",
    "jane.hunter2%2540example.com",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
]

KEYS = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl",
    "glpat-abcdefghijklmnopqrst",
    "xoxb-123456789012-abcdefghijkl",
    "sk_live_abcdefghijklmnop",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz12345",
    "4111111111111111",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "4111+1111+1111+1111",
    "4111%201111%201111%201111",
    "4111.1111.1111.1111",
    "3782 822463 10005",
    "378282246310005",
    "2223003122003222",
    "DE89370400440532013000",
    "de89 3704 0044 0532 0130 00",
    "GB82+WEST+1234+5698+7654+32",
    "GB82%20WEST%201234%205698%207654%2032",
    "canary-7f3a9c2e41d05b68",
    "7f3a9c2e41d05b68",
    "d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "dQw4w9WgXcQabcDEFgHi",
    "JBSWY3DPEHPK3PXPJBSWY3DP",
    "k9Jx2-Qm4Zt_8vB1n-Lp7Ws",
]

ORDINARY = [
    "/api/v1/users/123",
    "/wp-content/plugins/some-long-plugin-name/readme.txt",
    "/data/migrations/1550601598648_payees.sql",
    "/data/migrations/1704572023731_add_missing_goCardless_sync_source.sql",
    "/images/logo@2x.png",
    "/getUserAccountSettingsByIdAndName",
    "/2026/11/02/ten-ways-to-do-a-thing-in-2026",
    "/presentations/logstash-monitorama-2013/images/kibana-dashboard3.png",
    "monkey=1&keyword=2&author=bob&page=7&sort=name",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/118.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 7_0_4 like Mac OS X) Mobile/11B554a Safari/9537.53",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)",
    "/orders/1234567890123456",
    "/orders/20261102080000",
    "/at/2026-11-02T08:00:00.000+01:00",
    "bypass=1&compass=n&hash=7&mapping=x&passenger=2",
    "DE89370400440532013001",
    "//cdn.example.com/a:b/c@2x.png",
    "password reset",
    "<key/><description>x</description>",
    "",
]

CANARY = "canary-7f3a9c2e41d05b68"


@pytest.mark.parametrize("text", MASKED)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in mask(text)
    assert "***" in mask(text)


@pytest.mark.parametrize(
    "text", ["\u017fecret=hunter2x", "pa\u017f\u017fword=hunter2x", "to\u212aen=hunter2x"]
)
def test_letters_beyond_ascii_that_are_one_with_others_hide_nothing(text: str) -> None:
    """A long s and the sign of Kelvin are s and k where case does not matter."""
    assert mask(text) == f"{text.partition('=')[0]}=***"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "/a/{}/b", "x {} y", "q={}&z=1", '"{}"', "/{}/b.html"])
def test_keys_are_masked_wherever_they_stand(key: str, around: str) -> None:
    assert mask(around.format(key)) == around.format("***")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_what_is_around_a_secret_stays() -> None:
    assert mask("a=1&token=x&b=2") == "a=1&token=***&b=2"
    assert mask('{"n": 1, "password": "x", "m": [2]}') == '{"n": 1, "password": "***", "m": [2]}'
    assert mask("https://u:p@h/x?y") == "https://***@h/x?y"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=80), st.sampled_from(MASKED + ORDINARY))))
def test_a_column_is_masked_as_each_text_alone(texts: list[str | None]) -> None:
    column = pl.Series("text", texts, dtype=pl.String)
    expected = [None if text is None else mask(text) for text in texts]
    assert mask_series(column).to_list() == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.needs[0][0])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_a_rule_masks_has_what_it_needs(rule: MaskRule, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(re.compile(rule.pattern, re.ASCII), fullmatch=True))
    assert all(any(need in text.lower() for need in group) for group in rule.needs)


@pytest.mark.parametrize("pattern", SENSITIVE + ENDINGS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_sensitive_key_has_a_word_of_such_keys(pattern: str, data: st.DataObject) -> None:
    key = data.draw(st.from_regex(re.compile(f"(?i){pattern}", re.ASCII), fullmatch=True))
    assert any(word in key.lower() for word in WORDS_OF_KEYS)


def test_printable_shows_what_a_terminal_would_obey() -> None:
    text = "a\x1b[31m\r\n\u202eb\u200bc\u2028\x9b\x00 é"
    assert printable(text) == "a\\x1b[31m\\x0d\\x0a\\u202eb\\u200bc\\u2028\\x9b\\x00 é"
    assert printable("\U000e0001") == "\\U000e0001"
    assert printable("plain text") == "plain text"


@given(st.text())
def test_printable_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()


def event(**fields: Any) -> pl.DataFrame:
    values: dict[str, Any] = dict.fromkeys(EVENT_SCHEMA.names())
    values |= {
        "timestamp": datetime(2026, 11, 2, tzinfo=UTC),
        "partition": "/var/log/access.log",
        "position": 17,
        "method": "POST",
        "path": "/login",
        "status": 401,
        "response_bytes": 512,
    }
    return pl.DataFrame([values | fields], schema=EVENT_SCHEMA)


def text_of(**fields: Any) -> str:
    frame = evidence_columns(event(**fields))
    assert frame.schema == EVIDENCE_SCHEMA
    assert frame["position"].to_list() == [17]
    return str(frame["text"][0])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"query": "user=bob&next=/x", "user_agent": "curl/8"},
            'POST /login?user=***&next=*** 401 512 B "curl"',
        ),
        ({"method": "EVIL"}, "OTHER /login 401 512 B"),
        ({"status": None, "response_bytes": None}, "POST /login"),
        ({"path": None, "method": None}, "no request 401 512 B"),
        (
            {"path": None, "method": None, "request_raw": "x" * 211},
            "unreadable request, 211 bytes, sha256 401 512 B",
        ),
        ({"path": "/a\x1b[2J\u202e"}, "POST /a\\x1b[2J\\u202e 401 512 B"),
        ({"path": "/" + "é" * 200}, "POST /" + "é" * 116 + "... 401 512 B"),
        ({"user_agent": "my own thing"}, 'POST /login 401 512 B "other"'),
    ],
)
def test_evidence(fields: dict[str, Any], text: str) -> None:
    if "request_raw" in fields:
        digest = hashlib.sha256(fields["request_raw"].encode()).hexdigest()[:8]
        text = text.replace("sha256", f"sha256 {digest}")
    assert text_of(**fields) == text


def test_evidence_says_where_from_and_which_service() -> None:
    (row,) = evidence_columns(
        event(service="checkout-api-for-customers\x1b[2J", country="DE", asn=64_496)
    ).iter_rows(named=True)
    where = (row["service"], row["country"], row["asn"])
    assert where == ("checkout-api-for-customers\\x1b[2J", "DE", 64_496)
    (row,) = evidence_columns(event(country="D\x1b")).iter_rows(named=True)
    assert (row["service"], row["country"], row["asn"]) == (None, None, None)


@pytest.mark.parametrize("name", [n for n, t in EVENT_SCHEMA.items() if t == pl.String()])
@pytest.mark.parametrize("wrap", ["{}", "/a/{}", "k={}&{}=v", "<b>{}</b>"])
def test_a_canary_in_any_field_is_not_in_the_evidence(name: str, wrap: str) -> None:
    if name == "partition":
        return
    frame = evidence_columns(event(**{name: wrap.format(CANARY, CANARY)}))
    assert "7f3a9c2e" not in frame.write_ndjson()


def test_only_simple_keys_of_a_query_are_shown() -> None:
    assert query_keys("a=1&b&c3=4&=5&d.e=") == "a=***&***=***&***=***&***=***&d.e=***"
    assert query_keys("&".join(["a=1"] * 9)).endswith("&...")


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/118.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/118.0 Safari/537.36 Edg/118", "Edge"),
        ("Mozilla/5.0 (Macintosh) Version/17 Safari/605", "Safari"),
        ("sqlmap/1.7 (https://sqlmap.org)", "sqlmap"),
        ("", "other"),
        (None, None),
    ],
)
def test_user_agent_families(user_agent: str | None, family: str | None) -> None:
    assert user_agent_family(user_agent) == family
