"""What is filled in for names in braces in the calls of scenario files."""

from collections.abc import Iterator
from itertools import cycle, product
from typing import Final

import numpy as np

#: What people leave on servers and scanners have in their word lists, put together with _PARTS.
_WHAT: Final = (
    "app", "archive", "assets", "auth", "beta", "billing", "build", "cache", "cms", "common",
    "core", "crm", "data", "demo", "deploy", "dev", "docs", "export", "files", "forum", "home",
    "import", "inc", "intranet", "lib", "local", "logs", "mail", "member", "mobile", "module",
    "monitor", "partner", "portal", "private", "public", "report", "sandbox", "site", "staging",
    "stats", "store", "system", "temp", "test", "upload", "vendor", "web", "wiki", "work",
)  # fmt: skip
_PARTS: Final = (
    "", "1", "2", "-old", "-new", "_v2", "-2024", "/index.php", "/index.html", "/main.jsp",
    "/login.aspx", "/install.php", ".tar", ".txt", ".xml", ".php", ".asp", ".json", "/info",
    "/setup",
)  # fmt: skip

_EVERYDAY: Final = (
    "sam", "alex", "kim", "maria", "jan", "anna", "peter", "lena", "tom", "eva", "paul", "nina",
)  # fmt: skip


def draw_fillers(rng: np.random.Generator, count: int) -> dict[str, Iterator[str]]:
    """Return a source of values for each name that calls may have in braces.

    number (five digits), order (eight digits) and word (a path of a word list) do not repeat
    within 1,000 uses; step is a number greater by one than the one before; uuid, category and
    name are drawn.
    """
    start = int(rng.integers(10_000_000, 80_000_000))
    numbers = rng.choice(90_000, min(count + 1, 90_000), replace=False) + 10_000
    orders = rng.choice(80_000, min(count + 1, 80_000), replace=False) * 1_009 + 10_000_000
    words = ["".join(pair) for pair in product(_WHAT, _PARTS)]
    return {
        "number": cycle(map(str, numbers.tolist())),
        "order": cycle(map(str, orders.tolist())),
        "step": map(str, range(start, start + 10 * count + 10)),
        "word": cycle([words[place] for place in rng.permutation(len(words)).tolist()]),
        "category": (str(rng.integers(100, 999)) for _ in cycle([0])),
        "name": (_EVERYDAY[int(rng.integers(len(_EVERYDAY)))] for _ in cycle([0])),
        "uuid": (_uuid(rng) for _ in cycle([0])),
    }


def _uuid(rng: np.random.Generator) -> str:
    digits = rng.bytes(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
