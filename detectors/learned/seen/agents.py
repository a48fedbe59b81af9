"""What user agents are called: product and system, without versions.

An update of a browser is no news, so what is compared has no digits. The name holds nothing but a
few fixed words, or the letters that an agent begins with.
"""

from functools import reduce
from typing import Final

import polars as pl

from detectors.learned.slots import told_apart

#: Browsers by what only they say, the most telling first.
_BROWSERS: Final = (
    ("Edge", ("Edg/", "EdgA/", "EdgiOS/", "Edge/")),
    ("Opera", ("OPR/", "Opera")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("Chrome", ("Chrome/", "CriOS/", "Chromium/")),
    ("Safari", ("Safari/",)),
    ("Internet Explorer", ("MSIE ", "Trident/")),
)

_SYSTEMS: Final = (
    ("Windows", ("Windows",)),
    ("Android", ("Android",)),
    ("iOS", ("iPhone", "iPad", "iPod")),
    ("ChromeOS", ("CrOS",)),
    ("macOS", ("Macintosh", "Mac OS X")),
    ("Linux", ("Linux", "X11")),
)

#: Letters that a program's name begins with; more of them may be a secret.
_PRODUCT: Final = r"^([A-Za-z][A-Za-z._-]{0,31})(?:[^A-Za-z._-]|$)"
_COMPATIBLE: Final = r"compatible; ([A-Za-z][A-Za-z._-]{0,31})(?:[^A-Za-z._-]|$)"
_LONG_RUN: Final = "[A-Za-z]{24,}"
OTHER: Final = "another program"


#: User agents whose names are remembered.
REMEMBERED: Final = 1 << 14


class AgentNames:
    """Names of user agents; those asked for lately are remembered, which changes no name."""

    def __init__(self) -> None:
        self._known = pl.DataFrame(schema={"hash": pl.UInt64(), "agent": pl.String()})

    def of(self, agents: pl.Series) -> pl.Series:
        """Return what `agent_names` returns."""
        known, asked = self._known, agents.to_frame("text")
        asked = asked.with_columns(hash=told_apart(asked))
        distinct = asked.filter(pl.col("hash").is_first_distinct())
        fresh = distinct.join(known, on="hash", how="anti")
        if fresh.height:
            known = pl.concat([known, fresh.select("hash", agent=agent_names(fresh["text"]))])
            self._known = known.tail(REMEMBERED)
        names = asked.select("hash").join(known, on="hash", how="left", maintain_order="left")
        return names["agent"]


def agent_names(agents: pl.Series) -> pl.Series:
    """Return the names of user agents (String), row for row; null stays null.

    "Firefox on Windows" for a browser, "curl" for a program, OTHER for what has no name.
    """
    text = pl.col("agent")
    named = pl.coalesce(text.str.extract(_COMPATIBLE), _first_of(_BROWSERS))
    system = _first_of(_SYSTEMS)
    browser = pl.concat_str(named, pl.concat_str(pl.lit(" on "), system).fill_null(""))
    product = text.str.extract(_PRODUCT)
    found = pl.when(text.str.starts_with("Mozilla/")).then(browser).otherwise(product)
    safe = pl.when(~found.str.contains(_LONG_RUN)).then(found)
    name = pl.when(text.is_not_null()).then(safe.fill_null(OTHER))
    return agents.to_frame("agent").select(name.alias("agent")).to_series()


def _first_of(names: tuple[tuple[str, tuple[str, ...]], ...]) -> pl.Expr:
    """Return the first name of which a word is in the text, null if there is none."""
    nothing = pl.lit(None, pl.String)
    return reduce(
        lambda rest, each: (
            pl.when(pl.col("agent").str.contains_any(list(each[1])))
            .then(pl.lit(each[0]))
            .otherwise(rest)
        ),
        reversed(names),
        nothing,
    )
