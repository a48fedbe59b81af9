"""Masking: the one place that makes text from logs safe to keep, send or show.

`mask_series` and `mask` replace secrets and personal data by `***`: values of sensitive keys,
credentials, keys of known makes, e-mail addresses, card numbers, and words that look random.
`printable` makes characters visible that a terminal or a browser would obey. Every rule is a
linear-time regex or a single pass.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from ingest.mask_rules import MASK, RULES, MaskRule

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


def mask(text: str) -> str:
    """Return `text` with secrets replaced by `***`; the same rules as `mask_series`."""
    return str(mask_series(pl.Series([text], dtype=pl.String))[0])


def mask_series(values: pl.Series) -> pl.Series:
    """Return texts with secrets replaced by `***`, each distinct one once; null stays null."""
    distinct = values.drop_nulls().unique()
    masked = _masked(distinct)
    if masked is distinct:
        return values
    known = pl.DataFrame({"text": distinct, "masked": masked})
    frame = values.rename("text").to_frame()
    joined = frame.join(known, on="text", how="left", maintain_order="left")
    return joined["masked"].rename(values.name)


def _masked(texts: pl.Series) -> pl.Series:
    """Return texts with secrets replaced; the same object if there are none in any of them."""
    column = pl.col(texts.name)
    masked = texts
    if rules := _needed(texts.to_list()):
        replaced = column
        for rule in rules:
            replaced = replaced.str.replace_all(rule.pattern, rule.replacement)
        masked = texts.to_frame().select(replaced).to_series()
    suspect = masked.str.contains(_SUSPECT)
    if not suspect.any():
        return masked
    words = [
        _mask_words(text) if check else text
        for text, check in zip(masked.to_list(), suspect.to_list(), strict=True)
    ]
    return pl.Series(texts.name, words, dtype=pl.String)


def _needed(texts: Sequence[str]) -> list[MaskRule]:
    """Return the rules of which some text may have something.

    Beyond ASCII there are signs that count as letters where case does not matter: then all.
    """
    joined = "\n".join(texts)
    if not joined.isascii():
        return list(RULES)
    joined = joined.lower()
    return [
        rule for rule in RULES if all(any(need in joined for need in group) for group in rule.needs)
    ]


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
