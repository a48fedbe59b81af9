"""Masking: the one place that makes text from logs safe to keep, send or show.

`mask_text` and `mask` replace secrets and personal data by `***`: values of sensitive keys,
credentials, keys of known makes, e-mail addresses, card numbers, and words that look random.
`printable` makes characters visible that a terminal or a browser would obey. Every rule is a
linear-time regex or a single pass.
"""

import json
import re
from typing import Final

import polars as pl

MASK: Final = "***"

_SENSITIVE: Final = (
    r"(?:access|refresh|id|csrf|xsrf)?[-_]?tokens?|api[-_]?keys?|key|secrets?|client[-_]?secret|"
    r"(?:access|secret|account|app|private|encryption)[-_]?key(?:[-_]?id)?|connection[-_]?string|"
    r"pw|(?:user|db|login|admin|new|old)pass|passwort|mdp|senha|contrase(?:n|ñ|%C3%B1)a|bearer|"
    r"refresh|remember(?:[-_]?me)?|code[-_]?(?:verifier|challenge)|(?:login|token)[-_]?hint|magic|"
    r"(?:g-)?(?:re|h)?captcha[-_]?response|aspsessionid[a-z]{0,16}|logged[-_]in[-_][a-z0-9]{1,40}|"
    r"pass(?:w(?:or)?d|phrase|code)?|pwd|auth|authorization|authentication|sess(?:ion)?(?:[-_]?id)?|"
    r"sid|(?:j|php|asp)sess(?:ion)?id|jwt|code|signature|sig|hmac|credentials?|creds?|otp|totp|mfa|"
    r"pin|ssn|cvv|cvc|card(?:[-_]?number)?|iban|cookies?|set-cookie|saml(?:request|response)|"
    r"assertion|nonce|state|ticket|e?mail"
)
_ENDINGS: Final = (
    "token|secret|password|passwd|passphrase|apikey|accesskey(?:id)?|secretkey|accountkey|credential|"
    "signature|sessionid"
)
#: What may follow a sensitive word in a key: password_confirmation, passwordHash, token2.
_SUFFIX: Final = "[-_.]?(?:confirm(?:ation)?|repeat|again|new|old|hash|value|[0-9]{1,4})"
_KEY: Final = (
    r"(?:[A-Za-z0-9]{1,40}[-_.]|%5[Bb]|\[){0,8}"
    rf"(?:[A-Za-z]{{0,20}}(?:{_ENDINGS})s?|{_SENSITIVE})(?:{_SUFFIX})?(?:%5[Dd]|\])?"
)
_START: Final = r"^|[^A-Za-z0-9]|(?:%(?:25){0,2}|\\x|\\u00)[0-9A-Fa-f]{2}"
_LINK: Final = r"(?:=|:|%(?:25){0,2}3[AaDd]|\\x3[AaDd])"
#: A quotation mark, as it is and as URLs, nginx, JSON and HTML write it.
_ESCAPED_QUOTE: Final = r"(?:\\x22|\\u0022|&quot;|&#34;)"
_QUOTE: Final = rf"""(?:\\?["']|%(?:25){{0,2}}22|{_ESCAPED_QUOTE})"""

#: (pattern, replacement), applied in this order; Rust syntax.
_RULES: Final = (
    (r"(?s)-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|$)", MASK),
    (r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^/?#\s@\"']{1,512}@", f"${{1}}{MASK}@"),
    (r"(^|[\s\"'=(])//[^/?#\s@\"':]{0,256}:[^/?#\s@\"']{1,256}@", f"${{1}}//{MASK}@"),
    (
        (
            r"(?i)(%(?:25)?3A(?:%(?:25)?2F|/){2})"
            r"(?:[a-z0-9._~!$'()*+,;=-]|%(?:25)?(?:2[1-9a-e]|3[a-f])){1,256}(%(?:25)?40)"
        ),
        f"${{1}}{MASK}${{2}}",
    ),
    (
        (
            rf"(?i)({_START})((?:proxy-)?authorization\s*:\s*)"
            r"(?:digest|oauth|hawk|signature|mac|hmac[a-z0-9-]*|aws4[a-z0-9-]*)\s[^\r\n]*"
        ),
        f"${{1}}${{2}}{MASK}",
    ),
    (rf"(?i)({_START})((?:set-)?cookie2?\s*:\s*)[^\"'\r\n]+", f"${{1}}${{2}}{MASK}"),
    (
        rf"(?i)({_START})({_KEY})({_ESCAPED_QUOTE}\s*:\s*{_ESCAPED_QUOTE}).*?({_ESCAPED_QUOTE}|$)",
        f"${{1}}${{2}}${{3}}{MASK}${{4}}",
    ),
    (
        rf"(?i)((?:<|&lt;|%3C)(?:[a-z0-9_.-]{{1,40}}:)?{_KEY}(?:\s[^<>]{{0,200}})?(?:>|&gt;|%3E))[^<&%]+",
        f"${{1}}{MASK}",
    ),
    (
        rf'(?i)({_START})({_KEY}\\?["\']\s*:\s*)(?:\\?"(?:[^"\\]|\\.)*"?|\[[^\]]*\]?)',
        f'${{1}}${{2}}"{MASK}"',
    ),
    (
        (
            rf"(?i)({_START})((?:proxy-)?authorization\s*{_LINK}\s*)"
            r"(?:[A-Za-z]{3,12}(?:\s+|%20|\+))?[^\s&;,\"'<>]+"
        ),
        f"${{1}}${{2}}{MASK}",
    ),
    (
        rf"(?i)({_START})({_KEY}{_QUOTE}?\s*{_LINK}\s*{_QUOTE}?)[^&;,\s\"'<>]+",
        f"${{1}}${{2}}{MASK}",
    ),
    (
        r"(?i)\b(bearer|basic|digest|negotiate|token)(\s+|%20|\+)[A-Za-z0-9._~+/=-]{6,}",
        f"${{1}}${{2}}{MASK}",
    ),
    (r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", MASK),
    (r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{12,}", MASK),
    (r"\bgh[opsur]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}", MASK),
    (r"\bglpat-[A-Za-z0-9_-]{12,}|\bnpm_[A-Za-z0-9]{16,}|\bhf_[A-Za-z0-9]{16,}", MASK),
    (r"\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}", MASK),
    (r"(hooks\.slack\.com/services/)[A-Za-z0-9/_-]+", f"${{1}}{MASK}"),
    (r"\b(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{12,}|\bsk-[A-Za-z0-9_-]{16,}", MASK),
    (r"\bAIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{8,}|\bSG\.[A-Za-z0-9_.-]{20,}", MASK),
)

#: In a path, what follows such a word and is no word itself.
_AFTER: Final = (
    r"(?i)/(tokens?|reset|password-?reset|reset-?password|invites?|invitations?|verify|confirm"
    r"|activate|magic|magic-?link|secrets?|api-?keys?|sessions?|unsubscribe)"
    r"/(?:[^/?\s\"]*[0-9][^/?\s\"]*|[^/?\s\"]{16,})"
)

_EMAIL: Final = (
    r"[A-Za-z0-9._%+-]{1,64}(?:@|%(?:25){0,2}40)(?:[A-Za-z]|[0-9]{3})[A-Za-z0-9-]{0,62}"
    r"(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}"
)
#: Addresses of offices, not of people; crawlers name them in their user agent.
_OFFICES: Final = frozenset(
    {"abuse", "bot", "bots", "contact", "crawler", "help", "info", "noc", "noreply", "postmaster"}
    | {"robot", "search", "spider", "support", "webmaster"}
)
#: A word of 16 characters or more; shorter ones never look random.
_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{14,}[A-Za-z0-9]"
_LONG_WORD: Final = r"[A-Za-z0-9_-]{16}"
_GAP: Final = r"(?:[ .+-]|%20)?"
_CARD: Final = (
    rf"[2-6][0-9]{{3}}{_GAP}(?:[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{1,7}}"
    rf"|[0-9]{{6}}{_GAP}[0-9]{{4,5}})"
)
_IBAN: Final = (
    rf"[A-Za-z]{{2}}[0-9]{{2}}(?:{_GAP}[A-Za-z0-9]{{4}}){{2,7}}(?:{_GAP}[A-Za-z0-9]{{1,3}})?"
)
_SUSPECT: Final = rf"{_LONG_WORD}|{_CARD}|{_IBAN}|@|%(?:25){{0,2}}40"
_WORDS: Final = re.compile(_WORD)
_CARDS: Final = re.compile(rf"(?<![0-9]){_CARD}(?![0-9])")
_IBANS: Final = re.compile(rf"(?<![A-Za-z0-9]){_IBAN}(?![A-Za-z0-9])")
_EMAILS: Final = re.compile(_EMAIL)
_SYLLABLES: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_KINDS: Final = re.compile(r"[A-Za-z]+|[0-9]+")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")

_WORD_LENGTH: Final = 16
_HASH_LENGTH: Final = 32
_ALTERNATIONS: Final = 4
#: Syllables (a capital and small letters are one) for each character of a random word; more
#: characters are needed to judge a word without digits.
_RESTLESS: Final = 0.33
_RESTLESS_LETTERS: Final = 0.3
_CARD_LENGTHS: Final = range(13, 20)
_DOUBLE_LIMIT: Final = 9
#: Cards that begin with 2 have 16 digits and begin with one of these.
_TWOS: Final = range(2221, 2721)
_TWOS_LENGTH: Final = 16
_IBAN_LENGTHS: Final = range(15, 35)


def mask_text(expr: pl.Expr) -> pl.Expr:
    """Return a text expression with secrets replaced by `***`; null stays null."""
    return expr.map_batches(mask_series, return_dtype=pl.String, is_elementwise=True)


def mask(text: str) -> str:
    """Return `text` with secrets replaced by `***`; the same rules as `mask_text`."""
    return str(mask_series(pl.Series([text], dtype=pl.String))[0])


def mask_series(values: pl.Series) -> pl.Series:
    """Mask a text column, each distinct value once."""
    distinct = values.drop_nulls().unique()
    masked = distinct
    for pattern, replacement in (*_RULES, (_AFTER, f"/${{1}}/{MASK}")):
        masked = masked.str.replace_all(pattern, replacement)
    suspect = masked.str.contains(_SUSPECT)
    if suspect.any():
        words = [
            _mask_words(text) if check else text
            for text, check in zip(masked.to_list(), suspect.to_list(), strict=True)
        ]
        masked = pl.Series(words, dtype=pl.String)
    known = pl.DataFrame({"text": distinct, "masked": masked})
    frame = values.rename("text").to_frame()
    joined = frame.join(known, on="text", how="left", maintain_order="left")
    return joined["masked"].rename(values.name)


def looks_random(word: str) -> bool:
    """Whether a word of letters, digits, - and _ looks like a key rather than a name."""
    runs = re.split(r"[-_]+", word)
    if any(_random_run(run) for run in runs):
        return True
    whole = "".join(runs)
    if len(runs) == 1 or len(whole) < _WORD_LENGTH:
        return False
    return _random_hash(whole) or _restless(whole)


def printable(text: str) -> str:
    r"""Return `text` with control, bidirectional and invisible characters as \xNN or \uNNNN."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def printable_json(text: str) -> str:
    r"""Return lines of JSON with the characters that `printable` shows as \uNNNN: still JSON."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _json_escaped(line) for line in lines)


def _mask_words(text: str) -> str:
    if "@" in text or "40" in text:
        text = _EMAILS.sub(_mask_email, text)
    text = _CARDS.sub(lambda match: MASK if _is_card(match[0]) else match[0], text)
    text = _IBANS.sub(lambda match: MASK if _is_iban(match[0]) else match[0], text)
    return _WORDS.sub(lambda match: MASK if looks_random(match[0]) else match[0], text)


def _mask_email(match: re.Match[str]) -> str:
    local = re.split("@|%(?:25){0,2}40", match[0])[0].lower()
    return match[0] if local in _OFFICES else MASK


def _random_run(run: str) -> bool:
    if len(run) < _WORD_LENGTH:
        return False
    if _random_hash(run):
        return True
    if len(_KINDS.findall(run)) > _ALTERNATIONS:
        return True
    return _restless(run)


def _restless(text: str) -> bool:
    if text.islower() or text.isupper() or text.isdigit():
        return False
    syllables = len(_SYLLABLES.findall(text))
    if any(char.isdigit() for char in text):
        return syllables >= _RESTLESS * len(text)
    return len(text) >= _HASH_LENGTH and syllables >= _RESTLESS_LETTERS * len(text)


def _random_hash(text: str) -> bool:
    return len(text) >= _HASH_LENGTH and bool(_HEX.fullmatch(text)) and not text.isdigit()


def _is_card(text: str) -> bool:
    digits = [int(char) for char in text.replace("%20", "") if char.isdigit()]
    if len(digits) not in _CARD_LENGTHS:
        return False
    first = int("".join(map(str, digits[:4])))
    if digits[0] == 2 and (first not in _TWOS or len(digits) != _TWOS_LENGTH):  # noqa: PLR2004
        return False
    total = sum(digits[-1::-2])
    for digit in digits[-2::-2]:
        double = 2 * digit
        total += double - _DOUBLE_LIMIT if double > _DOUBLE_LIMIT else double
    return total % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 13616: modulo 97 is 1)."""
    plain = re.sub(r"%20|[^A-Za-z0-9]", "", text)
    if len(plain) not in _IBAN_LENGTHS:
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _json_escaped(line: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
