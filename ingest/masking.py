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
    r"pass(?:w(?:or)?d|phrase|code)?|pwd|auth|authorization|authentication|sess(?:ion)?(?:[-_]?id)?|"
    r"sid|(?:j|php|asp)sess(?:ion)?id|jwt|code|signature|sig|hmac|credentials?|creds?|otp|totp|mfa|"
    r"pin|ssn|cvv|cvc|card(?:[-_]?number)?|iban|cookie|set-cookie|saml(?:request|response)|"
    r"assertion|nonce|state|ticket|private[-_]?key|e?mail"
)
_ENDINGS: Final = "token|secret|password|passwd|apikey|credential"
_KEY: Final = (
    r"(?:[A-Za-z0-9]{1,40}[-_.]|%5[Bb]|\[){0,8}"
    rf"(?:[A-Za-z]{{0,20}}(?:{_ENDINGS})s?|{_SENSITIVE})(?:[-_.]?[0-9]{{1,4}})?(?:%5[Dd]|\])?"
)
_START: Final = r"^|[^A-Za-z0-9]|%[0-9A-Fa-f]{2}"
_LINK: Final = r"(?:=|:|%3[Aa]|%3[Dd])"

#: (pattern, replacement), applied in this order; Rust syntax.
_RULES: Final = (
    (r"(?s)-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|$)", MASK),
    (r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^/?#\s@\"']{1,512}@", f"${{1}}{MASK}@"),
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
        rf"(?i)({_START})({_KEY}(?:\\?[\"']|%22)?\s*{_LINK}\s*(?:\\?[\"']|%22)?)[^&;,\s\"'<>]+",
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
    r"[A-Za-z0-9._%+-]{1,64}(?:@|%40)(?:[A-Za-z]|[0-9]{3})[A-Za-z0-9-]{0,62}"
    r"(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}"
)
#: Addresses of offices, not of people; crawlers name them in their user agent.
_OFFICES: Final = frozenset(
    {"abuse", "bot", "bots", "contact", "crawler", "help", "info", "noc", "noreply", "postmaster"}
    | {"robot", "search", "spider", "support", "webmaster"}
)
_WORD: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_LONG_WORD: Final = r"[A-Za-z0-9_-]{16}"
_CARD: Final = r"[3-6][0-9]{3}[ +-]?[0-9]{4}[ +-]?[0-9]{4}[ +-]?[0-9]{1,7}"
_SUSPECT: Final = rf"{_LONG_WORD}|{_CARD}|@|%40"
_WORDS: Final = re.compile(_WORD)
_CARDS: Final = re.compile(rf"(?<![0-9]){_CARD}(?![0-9])")
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
    text = _EMAILS.sub(_mask_email, text)
    text = _CARDS.sub(lambda match: MASK if _is_card(match[0]) else match[0], text)
    return _WORDS.sub(lambda match: MASK if looks_random(match[0]) else match[0], text)


def _mask_email(match: re.Match[str]) -> str:
    local = re.split("@|%40", match[0])[0].lower()
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
    digits = [int(char) for char in text if char.isdigit()]
    if len(digits) not in _CARD_LENGTHS:
        return False
    total = sum(digits[-1::-2])
    for digit in digits[-2::-2]:
        double = 2 * digit
        total += double - _DOUBLE_LIMIT if double > _DOUBLE_LIMIT else double
    return total % 10 == 0


def _json_escaped(line: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
