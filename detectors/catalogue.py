"""The catalogue: every rule that is switched on, and the fingerprint of them all."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final

from detectors.documents import Document, read_rules
from detectors.overrides import RuleOverride
from detectors.placeholders import DEFAULTS
from detectors.registry import DETECTORS
from detectors.rules import Rule, Tier
from detectors.sigma import compile_rules

BUILT_IN_RULES: Final = Path(__file__).parent / "rules"


class UnknownDetectorError(ValueError):
    """The settings name a detector that does not exist."""


class UnknownPlaceholderError(ValueError):
    """The settings give values to a placeholder that no rule names."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rules to run, in order of their names, and a hash of all that decides findings.

    `documents` are all rules as they are written, those switched off among them.
    """

    rules: tuple[Rule, ...]
    fingerprint: str
    documents: tuple[Document, ...] = field(default=(), repr=False, compare=False)

    def rule(self, name: str) -> Rule:
        """Return the rule of that name; raises KeyError."""
        return next(rule for rule in self.rules if rule.name == name)

    def under(self, conditions: str) -> "Catalogue":
        """Return the catalogue with a fingerprint that tells what else decides findings."""
        digest = hashlib.sha256(f"{self.fingerprint};{conditions}".encode())
        return replace(self, fingerprint=digest.hexdigest()[:16])


def load_catalogue(
    overrides: Mapping[str, RuleOverride] | None = None,
    folders: Sequence[Path] = (),
    *,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    tiers: Sequence[Tier] = (),
) -> Catalogue:
    """Read the built-in rules and those of the user's folders, changed by the settings.

    `placeholders` are lists in place of those that rules share; `tiers` say who may do more.

    Raises RuleError for a rule that is refused, UnknownDetectorError for settings of a detector
    that is not there, UnknownPlaceholderError for values that no rule would take, OSError for a
    folder that is not readable.
    """
    changed = dict(overrides or {})
    for folder in folders:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "rules.folders: not a folder", str(folder))
    given = tuple((name, tuple(values)) for name, values in sorted((placeholders or {}).items()))
    documents = [*_built_in(given), *_documents(folders, placeholders)]
    taken = DEFAULTS.keys() | {name for document in documents for name in document.placeholders}
    for name in placeholders or {}:
        if name not in taken:
            hint = _hint(name, taken)
            raise UnknownPlaceholderError(f"rules.placeholders.{name}: no rule names it{hint}")
    rules = compile_rules(documents, changed, tiers)
    names = {rule.name for rule in rules}
    for name in changed:
        if name not in names:
            # the others that settings may name, though it is not here that they are changed
            hint = _hint(name, names | {detector.name for detector in DETECTORS})
            raise UnknownDetectorError(f"detectors.{name}: there is no such detector{hint}")
    active = tuple(r for r in rules if changed.get(r.name, RuleOverride()).enabled)
    digest = hashlib.sha256("".join(f"{r.name}:{r.signature};" for r in active).encode())
    return Catalogue(active, digest.hexdigest()[:16], tuple(documents))


@lru_cache(maxsize=4)  # they change with the program only, and settings are read again and again
def _built_in(placeholders: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[Document, ...]:
    return tuple(_documents([BUILT_IN_RULES], dict(placeholders)))


def _documents(
    folders: Iterable[Path], placeholders: Mapping[str, Sequence[str]] | None
) -> Iterator[Document]:
    for folder in folders:
        for file in sorted(folder.rglob("*.y*ml")):
            yield from read_rules(file, placeholders)


def _hint(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
