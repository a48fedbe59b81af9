"""Tokens of an issuer: each check with the attack that it stops."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from alerts.access.audit import list_deeds
from alerts.access.keys import Role
from alerts.storage.store import Store
from api.application import ApiOptions
from api.limit_settings import LimitSettings
from api.oidc import (
    FRESH,
    INTERVAL,
    KEPT,
    TOKEN_LIMIT,
    WAITING,
    IssuerSilentError,
    KeyRing,
    TokenError,
    TokenVerifier,
)
from api.oidc_issuer import SECONDS, IssuerError, fetch_keys
from api.oidc_keys import VerifyingKey, verifying_keys
from api.oidc_settings import OidcSettings
from api.server import THREADS
from tests.api.calls import NOW, Api, application, finding
from tests.api.issuer import KEYS, Issuer, ec, public, rsa, running_issuer

INCIDENTS = "/api/v1/incidents"
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    running.begin_again()
    return running


@pytest.fixture
def verifier(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(issuer.settings)


def part(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_tokens_of_both_kinds_of_key(issuer: Issuer, verifier: TokenVerifier) -> None:
    for key in (rsa("one"), ec("two")):
        subject = verifier.verify(issuer.token(key), NOW)
        assert (subject.name, subject.role, len(subject.id)) == ("mia", Role.ANALYST, 16)
    assert len(issuer.asked) == 2, "the document and the keys, once"
    other = verifier.verify(issuer.token(sub="another"), NOW)
    assert other.id != subject.id


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"aud": "another service"},
        {"aud": ["a", "b"]},
        {"aud": None},
        {"aud": {"vedette": 1}},
        {"exp": int(NOW.timestamp()) - 31},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("inf")},
        {"nbf": int(NOW.timestamp()) + 31},
        {"iat": int(NOW.timestamp()) + 31},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=str,
)
def test_claims_that_are_not_accepted(
    issuer: Issuer, verifier: TokenVerifier, changed: dict[str, Any]
) -> None:
    with pytest.raises(TokenError):
        verifier.verify(issuer.token(**changed), NOW)


def test_clocks_may_differ_by_the_leeway(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token()
    assert verifier.verify(token, NOW + timedelta(seconds=329))
    with pytest.raises(TokenError):
        verifier.verify(token, NOW + timedelta(seconds=330))
    assert verifier.verify(issuer.token(nbf=int(NOW.timestamp()) + 30), NOW)


def test_without_a_signature_nothing_is_believed(issuer: Issuer, verifier: TokenVerifier) -> None:
    """alg none: what a library of bad defaults would take."""
    for algorithm in ("none", "None", "nOnE", "", None, ["RS256"]):
        header = {"alg": algorithm, "kid": "one", "typ": "JWT"}
        with pytest.raises(TokenError, match="neither RS256 nor ES256"):
            verifier.verify(f"{part(header)}.{part(issuer.claims())}.", NOW)


def test_the_public_key_is_no_password(issuer: Issuer, verifier: TokenVerifier) -> None:
    """Algorithm confusion: HMAC with what everybody knows as its secret."""
    claims = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(issuer.claims())}"
    pem = rsa("one").as_pem(private=False)
    for secret in (pem, pem.strip(), str(public(rsa("one"))["n"]).encode()):
        mac = urlsafe_b64encode(hmac.digest(secret, claims.encode(), "sha256")).decode()
        with pytest.raises(TokenError, match="neither RS256 nor ES256"):
            verifier.verify(f"{claims}.{mac.rstrip('=')}", NOW)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_are_not_taken(
    issuer: Issuer, verifier: TokenVerifier, algorithm: str
) -> None:
    with pytest.raises(TokenError, match="neither RS256 nor ES256"):
        verifier.verify(issuer.token(header={"alg": algorithm}), NOW)


def test_what_was_signed_is_what_counts(issuer: Issuer, verifier: TokenVerifier) -> None:
    header, _, signature = issuer.token().split(".")
    admin = part(issuer.claims(roles=["soc-leads"]))
    _, payload, _ = issuer.token().split(".")
    for forged in (
        f"{header}.{admin}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-6]}AAAAAA",
        f"{header}.{payload}.{part('x' * 2_000)}",
        issuer.token(rsa("a stranger's"), {"kid": "one"}),
        issuer.token(ec("a stranger's"), {"kid": "two"}),
        issuer.token(ec("two"), {"kid": "one"}),
    ):
        with pytest.raises(TokenError):
            verifier.verify(forged, NOW)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": 7},
        {"crit": []},
        {"typ": "dpop+jwt"},
        {"typ": 7},
        {"kid": 7},
        {"kid": ["one"]},
        {"kid": "../../etc/passwd"},
        {"b64": False, "crit": ["b64"]},
        "[" * 700,
        "no JSON",
        "[]",
        {"x5c": "x" * 2_000},
    ],
    ids=str,
)
def test_headers_that_are_not_accepted(
    issuer: Issuer, verifier: TokenVerifier, header: dict[str, Any] | str
) -> None:
    first = part({"alg": "RS256", "kid": "one", **header} if isinstance(header, dict) else header)
    _, payload, signature = issuer.token().split(".")
    with pytest.raises(TokenError):
        verifier.verify(f"{first}.{payload}.{signature}", NOW)


@pytest.mark.parametrize("more", [{"crit": ["kid"]}, {"crit": []}, {"typ": "dpop+jwt"}])
def test_headers_are_refused_though_the_signature_holds(
    issuer: Issuer, verifier: TokenVerifier, more: dict[str, Any]
) -> None:
    with pytest.raises(TokenError):
        verifier.verify(issuer.token(header=more), NOW)


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+JWT"])
def test_kinds_that_are_accepted(issuer: Issuer, verifier: TokenVerifier, kind: str) -> None:
    assert verifier.verify(issuer.token(header={"typ": kind}), NOW)


def test_a_key_in_the_token_is_not_taken(issuer: Issuer, verifier: TokenVerifier) -> None:
    """The token brings the attacker's own key, or says where it can be fetched."""
    own = rsa("a stranger's")
    for more in ({"jwk": public(own)}, {"jku": f"{issuer.address}/elsewhere"}):
        with pytest.raises(TokenError):
            verifier.verify(issuer.token(own, {"kid": "one", **more}), NOW)
    assert "/elsewhere" not in issuer.asked


@pytest.mark.parametrize("text", ["..", "a.b.c", "é.é.é", "x" * TOKEN_LIMIT + "..", "{}.{}.{}"])
def test_what_is_no_token(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(TokenError):
        verifier.verify(text, NOW)


def test_rotation(issuer: Issuer, verifier: TokenVerifier) -> None:
    """A new key works at once, a key that was taken back does not for longer than FRESH."""
    old, new = issuer.token(exp=9_999_999_999), issuer.token(rsa("new"), exp=9_999_999_999)
    assert verifier.verify(old, NOW)
    issuer.keys = [public(rsa("new"))]
    later = NOW + INTERVAL
    assert verifier.verify(new, later)
    with pytest.raises(TokenError):
        verifier.verify(old, later)
    issuer.keys = [public(rsa("one"))]
    assert verifier.verify(new, later + FRESH - SECOND)
    with pytest.raises(TokenError):
        verifier.verify(new, later + FRESH)


def test_strangers_cannot_make_it_ask(issuer: Issuer, verifier: TokenVerifier) -> None:
    """A flood of tokens with made-up kid would else be a flood of requests to the issuer."""
    assert verifier.verify(issuer.token(), NOW)
    for n in range(50):
        with pytest.raises(TokenError):
            verifier.verify(issuer.token(rsa("a stranger's"), {"kid": f"k{n}"}), NOW + n * SECOND)
    assert issuer.asked.count(KEYS) == 2
    assert verifier.verify(issuer.token(), NOW + 51 * SECOND)


def test_keys_go_on_working_for_a_day(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token(exp=9_999_999_999)
    assert verifier.verify(token, NOW)
    issuer.behaviour = "broken"
    assert verifier.verify(token, NOW + FRESH)
    assert verifier.verify(token, NOW + KEPT - SECOND)
    with pytest.raises(IssuerSilentError):
        verifier.verify(token, NOW + KEPT)
    issuer.behaviour = "well"
    assert verifier.verify(token, NOW + KEPT + INTERVAL)


def test_an_issuer_that_hangs_is_not_asked_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.oidc.SECONDS", 0.01)
    with running_issuer() as issuer:
        verifier = TokenVerifier(issuer.settings)
        issuer.behaviour = "slow"
        for n in range(20):
            with pytest.raises(IssuerSilentError) as silent:
                verifier.verify(issuer.token(), NOW + n * SECOND)
            assert silent.value.seconds == INTERVAL.total_seconds() - n
        assert len(issuer.asked) <= 1


def test_few_requests_wait_for_the_issuer() -> None:
    """Else a slow issuer and a flood of tokens would take all threads of the API."""
    assert WAITING <= THREADS // 2
    asked, answered = Event(), Event()

    def fetch() -> tuple[VerifyingKey, ...]:
        asked.set()
        answered.wait(10)
        return verifying_keys([public(rsa("one"))])

    ring = KeyRing(fetch)
    with ThreadPoolExecutor(WAITING) as pool:
        patient = [pool.submit(ring.find, "one", "RS256", NOW) for _ in range(WAITING)]
        assert asked.wait(10)
        while ring._waiting._value:
            answered.wait(0.001)
        with pytest.raises(IssuerSilentError):
            ring.find("one", "RS256", NOW)
        answered.set()
        assert {waited.result(10).name for waited in patient} == {"one"}


def test_who_brings_a_known_key_does_not_wait_for_a_slow_issuer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.oidc.SECONDS", 60)
    keys = verifying_keys([public(rsa("one"))])
    asked, answered = Event(), Event()

    def fetch() -> tuple[VerifyingKey, ...]:
        if ring._held is not None:
            asked.set()
            answered.wait(60)
        return keys

    ring = KeyRing(fetch)
    assert ring.find("one", "RS256", NOW)
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(ring.find, "one", "RS256", NOW + FRESH)
            assert asked.wait(10)
            for later in (FRESH + SECOND, FRESH + INTERVAL):
                assert pool.submit(ring.find, "one", "RS256", NOW + later).result(10)
        finally:
            answered.set()
        assert first.result(10)


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("redirect", "answers 302"),
        ("giant", "longer than"),
        ("slow", "takes too long|cannot be asked"),
        ("broken", "answers 500"),
    ],
)
def test_answers_that_are_not_taken(issuer: Issuer, behaviour: Any, why: str) -> None:
    issuer.behaviour = behaviour
    with pytest.raises(IssuerError, match=why):
        fetch_keys(issuer.settings, seconds=0.3 if behaviour == "slow" else SECONDS)
    assert "/elsewhere" not in issuer.asked


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://evil.example"}, "names another issuer"),
        ({"jwks_uri": None}, "no jwks_uri"),
        ({"jwks_uri": "http://evil.example/keys"}, "must be an https"),
        ({"jwks_uri": "file:///etc/passwd"}, "must be an https"),
        ({"jwks_uri": "https://user@evil.example/keys"}, "without user"),
        ({"jwks_uri": "http://[::1"}, "is no address"),
    ],
)
def test_documents_that_are_not_believed(issuer: Issuer, document: Any, why: str) -> None:
    issuer.document = document
    with pytest.raises(IssuerError, match=why):
        fetch_keys(issuer.settings)
    assert KEYS not in issuer.asked


@pytest.mark.parametrize("keys", [[], [7, None], "keys", [{"kty": "oct", "k": "c2VjcmV0"}]])
def test_an_issuer_without_keys(issuer: Issuer, keys: Any) -> None:
    issuer.keys = keys
    with pytest.raises(IssuerError, match="no key for RS256 or ES256"):
        fetch_keys(issuer.settings)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_that_are_left_out() -> None:
    good = public(rsa("one"))
    for odd in (
        public(rsa("weak", 1_024)),
        public(ec("curve", "P-384")),
        {**good, "use": "enc"},
        {**good, "alg": "RS512"},
        {**good, "alg": "HS256"},
        {**good, "key_ops": ["sign"]},
        {**good, "kid": 7},
        {**good, "kid": "x" * 257},
        {**good, "e": "AQ"},
        {**good, "n": "!"},
        {"kty": "RSA"},
        {**public(ec("two")), "x": "AAAA"},
    ):
        assert verifying_keys([odd]) == (), odd
    assert len(verifying_keys([{"kty": "AKP"}, good, {**good, "use": "sig", "alg": "RS256"}])) == 2
    private = verifying_keys([rsa("one").as_dict(private=True)])
    assert not private[0].key.is_private


def test_a_token_without_a_key_s_name(issuer: Issuer, verifier: TokenVerifier) -> None:
    assert verifier.verify(issuer.token(header={"kid": None}), NOW)
    issuer.keys.append(public(rsa("new")))
    with pytest.raises(TokenError):
        verifier.verify(issuer.token(header={"kid": None}), NOW + FRESH)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"roles": ["readers"]}, Role.VIEWER),
        ({"roles": ["readers", "on-call"]}, Role.ANALYST),
        ({"roles": ["soc", "soc-leads", 7, None]}, Role.ADMIN),
        ({"roles": "openid readers"}, Role.VIEWER),
        ({"roles": ["nobody", "Readers"]}, None),
        ({"roles": {"soc": True}}, None),
        ({"roles": None}, None),
    ],
)
def test_values_give_roles(
    issuer: Issuer, verifier: TokenVerifier, claims: dict[str, Any], role: Role | None
) -> None:
    assert verifier.verify(issuer.token(**claims), NOW).role == role


@pytest.mark.parametrize("claim", ["realm_access.roles", "https://example.net/roles"])
def test_roles_may_be_elsewhere(issuer: Issuer, claim: str) -> None:
    settings = issuer.settings.model_copy(update={"roles_claim": claim})
    inside: dict[str, Any] = {
        "realm_access": {"roles": ["soc"]},
        "https://example.net/roles": ["soc"],
    }
    token = issuer.token(roles=["soc-leads"], **inside)
    assert TokenVerifier(settings).verify(token, NOW).role == Role.ANALYST


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Mia\x1b[31m\n\u202eadmin", "Mia[31madmin"),
        ("x" * 1_000, "x" * 64),
        ("\ud800", "248289761001"),
        (None, "248289761001"),
        (["mia"], "248289761001"),
        ("vedette", "vedette (oidc)"),
    ],
)
def test_names_are_harmless(
    issuer: Issuer, verifier: TokenVerifier, given: Any, shown: str
) -> None:
    assert verifier.verify(issuer.token(preferred_username=given), NOW).name == shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example.net"},
        {"issuer": "id.example.net"},
        {"issuer": "https://user:word@id.example.net"},
        {"issuer": "https://id.example.net/?tenant=1"},
        {"issuer": "ftp://127.0.0.1"},
        {"leeway": 61},
        {"leeway": -1},
        {"roles": {}},
        {"roles": {"viewer": [""]}},
        {"roles": {"owner": ["x"]}},
    ],
    ids=str,
)
def test_settings_that_are_refused(wrong: dict[str, Any]) -> None:
    good = {"issuer": "https://id.example.net/r", "audience": "v", "roles": {"viewer": ["x"]}}
    assert OidcSettings.model_validate(good)
    with pytest.raises(ValidationError):
        OidcSettings.model_validate({**good, **wrong})


@pytest.fixture
def api(engine: Engine, tmp_path: Path, issuer: Issuer) -> Iterator[Api]:
    options = ApiOptions(LimitSettings(authentication=4, read=20), oidc=issuer.settings)
    with application(engine, tmp_path, options) as opened:
        yield opened


def ask(api: Api, token: str, path: str = INCIDENTS) -> int:
    answer = api.client(None).get(path, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code >= 400:
        assert token not in answer.text
    return answer.status_code


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_token_is_as_good_as_a_key_of_its_role(api: Api, issuer: Issuer) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    for value, comment, keys in (
        ("readers", 403, 403),
        ("soc", 201, 403),
        ("soc-leads", 201, 200),
    ):
        token = issuer.token(roles=[value], sub=value)
        client = api.client(None)
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get(INCIDENTS).status_code == 200
        written = client.post(f"{INCIDENTS}/1/comments", json={"text": "seen"})
        assert written.status_code == comment
        assert client.get("/api/v1/keys").status_code == keys
    session = client.get("/api/v1/session").json()
    assert (session["kind"], session["name"], session["role"]) == ("oidc", "mia", "admin")
    (deed, _) = list_deeds(api.engine, outcome="done")
    assert (deed.actor, (deed.caller or "")[:5]) == ("mia", "oidc:")
    assert client.get(f"{INCIDENTS}/1").json()["comments"][0]["actor"] == "mia"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_tokens_without_a_role_and_bad_ones_are_refused_and_audited(
    api: Api, issuer: Issuer
) -> None:
    for _ in range(6):
        assert ask(api, issuer.token(roles=["everybody"])) == 403, "known, but may do nothing"
    assert ask(api, issuer.token(roles=["everybody"]), "/readyz") == 200
    in_the_other_header = {"X-API-Key": issuer.token()}
    assert api.client(None).get(INCIDENTS, headers=in_the_other_header).status_code == 401
    assert [ask(api, issuer.token(aud="x")) for _ in range(4)] == [401, 401, 401, 429]
    assert ask(api, issuer.token()) == 429, "nothing is tried any more"
    api.app.state.services.audit.flush()
    refused = {deed.status: deed.count for deed in list_deeds(api.engine, outcome="refused")}
    assert refused == {403: 6, 401: 4, 429: 2}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_silent_issuer_is_no_fault_of_the_caller(api: Api, issuer: Issuer) -> None:
    issuer.behaviour = "broken"
    client = api.client(None)
    for _ in range(6):
        answer = client.get(INCIDENTS, headers={"Authorization": f"Bearer {issuer.token()}"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "30"
        assert answer.json()["detail"] == "the issuer of tokens does not answer"
    assert api.client().get(INCIDENTS).status_code == 200, "keys need no issuer"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_without_settings_no_token_is_taken(engine: Engine, tmp_path: Path, issuer: Issuer) -> None:
    with application(engine, tmp_path) as api:
        assert ask(api, issuer.token()) == 401
    assert issuer.asked == []
