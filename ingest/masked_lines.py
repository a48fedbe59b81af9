"""Whole lines made safe to keep: masked more strictly than text of known fields, and cut."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from ingest.mask_rules import MASK
from ingest.masking import mask

#: Bytes of UTF-8 that are kept of a line.
LINE_LIMIT: Final = 4096

#: What is looked at of a longer line, and what is left out at the end of that, lest half of a
#: secret stay that was cut in two and so not known for one.
_LOOKED_AT: Final = 4 * LINE_LIMIT
_LEFT_OUT: Final = 256
_CUT: Final = "..."

_LONG_RUN: Final = re.compile("[A-Za-z0-9]{16,}")

#: Prose: "password is hunter2", "invalid token 7f3a".
_SAID: Final = re.compile(
    r"\b(pass(?:word|wd|phrase|code)|pwd|secret|token|api[-_ ]?key|credentials?|otp|pin)"
    r"((?:\s+(?:is|was|for|of))?\s+[\"']?)(?=[^\s\"',;]*[0-9])[^\s\"',;]{1,256}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MaskedLine:
    """A line to keep: its masked text, and the bytes and SHA-256 (hex) of the line itself."""

    text: str
    length: int
    sha256: str


def masked_line(data: bytes) -> MaskedLine:
    r"""Mask a line of any bytes, then cut the text to 4 KiB, ending in "..." if it was cut.

    What is not UTF-8 is shown as \xNN. NUL bytes are left out: they hide secrets in UTF-16. In
    time linear in the line, of which only the first 16 KiB are looked at.
    """
    digest = hashlib.sha256(data).hexdigest()
    begun = data[:_LOOKED_AT].replace(b"\x00", b"")
    text = begun.decode(errors="backslashreplace")
    masked = _SAID.sub(rf"\1\2{MASK}", _LONG_RUN.sub(MASK, mask(text)))
    whole = len(data) <= _LOOKED_AT
    if not whole:
        masked = masked[:-_LEFT_OUT]
    kept = masked.encode()
    if not whole or len(kept) > LINE_LIMIT:
        kept = kept[: LINE_LIMIT - len(_CUT)]
        masked = kept.decode(errors="ignore") + _CUT
    return MaskedLine(masked, len(data), digest)
