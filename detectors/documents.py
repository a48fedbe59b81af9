"""Sigma rules as written: files of YAML documents, read and checked by pySigma.

A file holds one or more documents. What Sigma cannot say stands under `vedette:`. A rule that
cannot be honoured is refused with its file, line and the reason.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

import re2  # type: ignore[import-untyped]
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern
from sigma.rule import SigmaRule

from detectors.placeholders import expand, values_named
from ingest.yaml_limits import LOADER, YamlLimitError, YamlLimits, check_yaml

LevelName = Literal["informational", "low", "medium", "high", "critical"]

#: Bytes of a file of rules, and what it may hold.
FILE_LIMIT: Final = 4 << 20
LIMITS: Final = YamlLimits(documents=1_000, values=20_000, depth=50, text=65_536)

#: Characters of a condition, and of a reason why a rule is refused.
CONDITION_LIMIT: Final = 4_096
REASON_LIMIT: Final = 1_000


class _QuietEngine(RE2RegexEngine):
    """pySigma's engine of regular expressions, which would print every refusal by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._options = re2.Options()
        self._options.log_errors = False

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        kinds = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))
        prefix = "".join(letter for flag, letter in kinds if flags & flag)
        try:
            compiled: RegexPattern = re2.compile(
                f"(?{prefix}){pattern}" if prefix else pattern, self._options
            )
        except re2.error as error:
            raise re2.error(_said(error)) from None
        return compiled


def _said(error: Exception) -> str:
    """Return what RE2, which speaks in bytes, says of a regular expression."""
    (said, *_) = error.args or ("",)
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if "perl operator" in text or "escape sequence" in text:
        text += " (there is no look-around and no back-reference)"
    return text


_POLICY: Final = SigmaPolicy(regex_engine=_QuietEngine())


class RuleError(ValueError):
    """A rule is refused; the message names file, line and reason."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        if len(reason) > REASON_LIMIT:
            reason = f"{reason[: REASON_LIMIT // 2]} … {reason[-REASON_LIMIT // 2 :]}"
        super().__init__(f"{file}:{line}: {reason}")
        self.file, self.line, self.reason = file, line, reason


class SharedAddressKeys(BaseModel):
    """`vedette: shared_address:` of a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agents: int = Field(ge=1)
    cap: int = Field(ge=1)


class ShareKeys(BaseModel):
    """`vedette: share:` of a rule: the least share of what another rule matches, in percent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str
    percent: int = Field(ge=1, le=100)
    over: Literal["entity", "all"] = "entity"


class OutlierKeys(BaseModel):
    """`vedette: outlier:` of a rule: how many times what others have on average.

    What others have of `of`, a plain rule, in place of the rule's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: int = Field(ge=2)
    of: str | None = None


class RaiseKeys(BaseModel):
    """`vedette: raise:` of a rule: another level if a match is also a match of another rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: LevelName
    when: str


class VedetteKeys(BaseModel):
    """`vedette:` of a rule: what Sigma cannot say."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)

    unit: str | None = None
    runbook: str | None = None
    shared_address: SharedAddressKeys | None = None
    share: ShareKeys | None = None
    outlier: OutlierKeys | None = None
    raised: RaiseKeys | None = Field(default=None, alias="raise")
    consecutive: int | None = Field(default=None, ge=2)
    sequential: bool = False
    matches: int | None = Field(default=None, ge=2)
    tiers: bool = False


_KEYS: Final = (VedetteKeys, SharedAddressKeys, ShareKeys, OutlierKeys, RaiseKeys)


@dataclass(frozen=True, slots=True)
class Document:
    """One rule as written: where it stands, its YAML, and what pySigma makes of it.

    `conditions` are those of a plain rule, parsed: it matches where one of them does.
    `placeholders` are the values that were put into them: beside `data`, what decides matches.
    `text` is the YAML of it.
    """

    file: Path
    line: int
    data: Mapping[str, Any]
    parsed: SigmaRule | SigmaCorrelationRule
    conditions: tuple[object, ...] = ()
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What settings and findings call this rule."""
        return self.parsed.name or str(self.parsed.id or self.parsed.title)

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a correlation may refer to this rule."""
        return tuple(str(n) for n in (self.parsed.name, self.parsed.id) if n is not None)

    def keys(self) -> VedetteKeys:
        """Return what stands under `vedette:`; raises RuleError for unknown keys."""
        try:
            return VedetteKeys.model_validate(self.data.get("vedette") or {})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            why = first["msg"]
            if first["type"] == "extra_forbidden":
                known = [name for model in _KEYS for name in model.model_fields]
                near = get_close_matches(str(first["loc"][-1]), known, 1)
                why = "unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
            raise self.refuse(f"vedette.{place}: {why}") from error

    def refuse(self, reason: str) -> RuleError:
        """Return the error that refuses this rule."""
        return RuleError(self.file, self.line, f"{self.parsed.title!r}: {reason}")


def is_test_file(file: Path) -> bool:
    """Whether a file holds tests of rules, not rules: NAME.tests.yml beside NAME.yml."""
    return file.name.endswith((".tests.yml", ".tests.yaml"))


def read_rules(
    file: Path, placeholders: Mapping[str, Iterable[str]] | None = None
) -> list[Document]:
    """Return the rules of a file.

    `placeholders` are the values that `expand` puts for names, in place of the defaults. Raises
    RuleError for YAML or Sigma that is not valid, OSError for a file that is not readable.
    """
    found: list[Document] = []
    for outcome in examine(file, placeholders):
        if isinstance(outcome, RuleError):
            raise outcome
        found.append(outcome)
    return found


def examine(
    file: Path, placeholders: Mapping[str, Iterable[str]] | None = None
) -> Iterator[Document | RuleError]:
    """Yield each rule of a file, or why it is refused; after YAML that is not valid, nothing.

    A file of tests has no rules. Raises OSError for a file that is not readable.
    """
    if is_test_file(file):
        return
    given = dict(placeholders or {})
    try:
        text = text_of(file)
    except RuleError as error:
        yield error
        return
    try:
        with suppress(yaml.YAMLError):  # said below, after the rules that stand before it
            check_yaml(text, LIMITS)
        for line, data, written in _documents(text):
            outcome = _document(file, line, data, given)
            yield outcome if isinstance(outcome, RuleError) else replace(outcome, text=written)
    except YamlLimitError as error:
        yield RuleError(file, error.line, error.reason)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        reason = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
        yield RuleError(file, mark.line + 1 if mark else 1, reason or "not valid YAML")


def text_of(file: Path) -> str:
    """Return what a file of rules says.

    Raises RuleError if it is no text, or more than FILE_LIMIT, OSError if it is not readable.
    """
    with file.open("rb") as opened:
        data = opened.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise RuleError(file, 1, f"larger than {FILE_LIMIT >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte {error.start} is {error.reason}"
        raise RuleError(file, 1, reason) from error


def _documents(text: str) -> Iterator[tuple[int, object, str]]:
    """Yield the lines that the documents of a text begin in, the documents, and their texts.

    For one with a value that cannot be (the 30th of February), the error that says so.
    """
    loader = LOADER(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            line = node.start_mark.line + 1
            written = text[node.start_mark.index : node.end_mark.index].rstrip() + "\n"
            try:
                data = loader.construct_document(node)
            except ValueError as error:
                yield line, error, written
                continue
            if data is not None:
                yield line, data, written
    finally:
        loader.dispose()


def _document(
    file: Path, line: int, data: object, given: Mapping[str, Iterable[str]]
) -> Document | RuleError:
    if isinstance(data, ValueError):
        return RuleError(file, line, f"a value that cannot be: {data}")
    if not isinstance(data, dict):
        return RuleError(file, line, "a rule must be a mapping with title and detection")
    try:
        _check_condition(data)
        parsed = _parse(data, given)
        conditions: tuple[object, ...] = ()
        if isinstance(parsed, SigmaRule):
            conditions = tuple(c.parsed for c in parsed.detection.parsed_condition)
    except SigmaError as error:
        return RuleError(file, line, f"{data.get('title')!r}: {error}")
    except (RecursionError, YamlLimitError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error.reason
        return RuleError(file, line, f"{data.get('title')!r}: {reason}")
    except (AttributeError, KeyError, TypeError) as error:  # pySigma takes some kinds for granted
        reason = f"some value has the wrong kind, such as a list for a text ({error})"
        return RuleError(file, line, f"{data.get('title')!r}: {reason}")
    used = values_named(data["detection"], given) if conditions else {}
    return Document(file, line, data, parsed, conditions, used)


def _check_condition(data: Mapping[str, Any]) -> None:
    detection = data.get("detection")
    condition = detection.get("condition") if isinstance(detection, dict) else None
    for each in condition if isinstance(condition, list) else [condition]:
        if isinstance(each, str) and len(each) > CONDITION_LIMIT:
            reason = f"a condition of {len(each):,} characters; the most is {CONDITION_LIMIT:,}"
            raise YamlLimitError(1, reason)


def _parse(
    data: dict[str, Any], given: Mapping[str, Iterable[str]]
) -> SigmaRule | SigmaCorrelationRule:
    if "correlation" in data:
        return SigmaCorrelationRule.from_dict(data, policy=_POLICY)
    rule = SigmaRule.from_dict(data, policy=_POLICY)
    if "|expand" in repr(data.get("detection")):
        expand(rule, given)
    return rule
