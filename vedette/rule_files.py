"""Rule files as their authors check them: all that is accepted, and all that is refused."""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from detectors.catalogue import BUILT_IN_RULES
from detectors.documents import Document, RuleError, examine, is_test_file
from detectors.rules import Rule
from detectors.sigma import compile_rules


@dataclass(frozen=True, slots=True)
class Accepted:
    """A rule that can be honoured.

    `rule` is what fires; None for a plain rule that fires by itself only where others refer to it.
    """

    document: Document
    rule: Rule | None

    @property
    def kind(self) -> str:
        """Return "plain", or the type of the correlation as Sigma writes it."""
        parsed = self.document.parsed
        if isinstance(parsed, SigmaCorrelationRule):
            return parsed.type.name.lower()
        return "plain"


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of the rules of some files; `documents` are the built-in ones, and theirs."""

    accepted: tuple[Accepted, ...]
    refused: tuple[RuleError, ...]
    documents: tuple[Document, ...]


def rule_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files of rules that paths name: files, and folders with all that is below.

    Raises FileNotFoundError.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        files = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
        found |= dict.fromkeys(file for file in files if not is_test_file(file))
    return list(found)


def examine_files(
    files: Sequence[Path], placeholders: Mapping[str, Sequence[str]] | None = None
) -> Examined:
    """Read rules and compile them beside the built-in ones, which they may refer to.

    Every refusal is told, not only the first. Raises OSError.
    """
    theirs = {file.resolve() for file in files}
    built_in = [
        document
        for file in sorted(BUILT_IN_RULES.rglob("*.y*ml"))
        if file.resolve() not in theirs
        for document in examine(file, placeholders)
        if isinstance(document, Document)
    ]
    outcomes = [outcome for file in files for outcome in examine(file, placeholders)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, RuleError)]
    written = [outcome for outcome in outcomes if isinstance(outcome, Document)]
    alone = {id(document): _refusal([document]) for document in written if _is_plain(document)}
    refused += [error for error in alone.values() if error is not None]
    written = [document for document in written if alone.get(id(document)) is None]
    while (error := _refusal([*built_in, *written])) is not None:
        refused.append(error)
        left = [document for document in written if not _is_about(error, document)]
        if len(left) == len(written):
            break
        written = left
    documents = (*built_in, *written)
    firing = {} if error else {rule.name: rule for rule in compile_rules(documents, {})}
    accepted = tuple(Accepted(document, firing.get(document.name)) for document in written)
    return Examined(accepted, tuple(sorted(refused, key=_place)), documents)


def _refusal(documents: Sequence[Document]) -> RuleError | None:
    try:
        compile_rules(documents, {})
    except RuleError as error:
        return error
    return None


def _is_plain(document: Document) -> bool:
    """Whether a rule can be judged without the others."""
    return isinstance(document.parsed, SigmaRule) and not document.data.get("vedette")


def _is_about(error: RuleError, document: Document) -> bool:
    return (error.file, error.line) == (document.file, document.line)


def _place(error: RuleError) -> tuple[str, int]:
    return str(error.file), error.line
