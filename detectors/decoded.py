"""Paths and queries as a service reads them: without percent-encoding.

Attackers write /%2eenv for /.env. Rules see both: the text of the log and, where it differs, the
decoded one.
"""

from typing import Final

import polars as pl

#: What the detectors' frames have beside BATCH_SCHEMA; null where decoding changes nothing.
DECODED_SCHEMA: Final = pl.Schema({"path_decoded": pl.String(), "query_decoded": pl.String()})

#: How often what was decoded is decoded again, for those who encode twice.
_ROUNDS: Final = 2


def _percent(text: bytes) -> str:
    return "".join(f"%{byte:02x}" for byte in text)


def _rare() -> dict[str, str]:
    """Return %u002e, UTF-8 of two bytes, and the overlong forms of ASCII (%c0%ae).

    Old servers took those two for a dot, so attackers still try them.
    """
    escapes = {_percent(chr(code).encode()): chr(code) for code in range(0x80, 0x800)}
    for code in range(0x80):
        overlong = bytes((0xC0 | code >> 6, 0x80 | code & 0x3F))
        escapes |= dict.fromkeys((f"%u{code:04x}", _percent(overlong)), chr(code))
    return escapes


class _Table:
    """What is replaced by what, as columns."""

    def __init__(self, escapes: dict[str, str]) -> None:
        self._written = pl.Series(list(escapes)).implode()
        self._meant = pl.Series(list(escapes.values())).implode()

    def decode(self, texts: pl.Series) -> pl.Series:
        """Replace once, from left to right; what a replacement makes is not looked at again."""
        return texts.str.replace_many(self._written, self._meant, ascii_case_insensitive=True)


_ASCII: Final = {f"%{code:02x}": chr(code) for code in range(0x80)}
_BLANK: Final = {"+": " "}

#: By whether + is a blank, and whether there are other escapes than those of ASCII.
_TABLES: Final = {
    (blanks, rare): _Table(_ASCII | (_BLANK if blanks else {}) | (_rare() if rare else {}))
    for blanks in (False, True)
    for rare in (False, True)
}


def with_decoded(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events with the columns of DECODED_SCHEMA, worked out from `path` and `query`.

    UTF-8 sequences of three bytes and more stay encoded, and so does what is encoded more than
    twice. In queries + is a blank.
    """
    return events.with_columns(
        decoded(events["path"]).alias("path_decoded"),
        decoded(events["query"], blanks=True).alias("query_decoded"),
    )


def decoded(texts: pl.Series, *, blanks: bool = False) -> pl.Series:
    """Return the texts decoded (String), null where that changes nothing."""
    signs = ["%", "+"] if blanks else ["%"]
    encoded = texts.str.contains_any(signs).fill_null(value=False)
    if not encoded.any():
        return pl.Series(texts.name, [None], dtype=pl.String()).new_from_index(0, len(texts))
    before = texts.filter(encoded)
    after = _once(before, blanks=blanks)
    for _ in range(_ROUNDS - 1):
        again = before.str.contains_any(["%25", "%u0025"])
        if not again.any():
            break
        after = _once(after, blanks=False).zip_with(again, after)
    changed = after.set(after == before, None)
    place = pl.select(pl.when(encoded).then(encoded.cum_sum() - 1)).to_series()
    return changed.gather(place).alias(texts.name)


def _once(texts: pl.Series, *, blanks: bool) -> pl.Series:
    rare = texts.str.contains_any(["%u", "%c", "%d"], ascii_case_insensitive=True).any()
    return _TABLES[blanks, rare].decode(texts)
