"""Sigma rules as written: files of YAML documents, read and checked by pySigma.

A file holds one or more documents. What Sigma cannot say stands under `vedette:`. A rule that
cannot be honoured is refused with its file, line and the reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

LevelName = Literal["informational", "low", "medium", "high", "critical"]

#: PyYAML's loader of plain data, in C where its wheel has it.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RuleError(ValueError):
    """A rule is refused; the message names file, line and reason."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
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
    """`vedette: outlier:` of a rule: how many times what others have on average."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: int = Field(ge=2)


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
    tiers: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One rule as written: where it stands, its YAML, and what pySigma makes of it."""

    file: Path
    line: int
    data: Mapping[str, Any]
    parsed: SigmaRule | SigmaCorrelationRule

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
            raise self.refuse(f"vedette.{place}: {first['msg']}") from error

    def refuse(self, reason: str) -> RuleError:
        """Return the error that refuses this rule."""
        return RuleError(self.file, self.line, f"{self.parsed.title!r}: {reason}")


def read_rules(file: Path) -> list[Document]:
    """Return the rules of a file.

    Raises RuleError for YAML or Sigma that is not valid, OSError for a file that is not readable.
    """
    return list(_documents(file, file.read_text(encoding="utf-8")))


def _documents(file: Path, text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            line = node.start_mark.line + 1
            data = loader.construct_document(node)
            if data is None:
                continue
            if not isinstance(data, dict):
                raise RuleError(file, line, "a rule must be a mapping with title and detection")
            yield Document(file, line, data, _parse(file, line, data))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(file, line, error.problem or "not valid YAML") from error
    finally:
        loader.dispose()


def _parse(file: Path, line: int, data: dict[str, Any]) -> SigmaRule | SigmaCorrelationRule:
    try:
        if "correlation" in data:
            return SigmaCorrelationRule.from_dict(data)
        rule = SigmaRule.from_dict(data)
        for condition in rule.detection.parsed_condition:
            _ = condition.parsed
    except SigmaError as error:
        raise RuleError(file, line, f"{data.get('title')!r}: {error}") from error
    return rule
