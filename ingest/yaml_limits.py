"""How much a YAML document of the user's may hold, told from its events before anything is built.

A few lines of YAML can stand for billions of values (aliases of aliases, merges of merges), end
the process (the loader recurses in C), or take hours (a number of a million digits).
"""

import re
from dataclasses import dataclass
from typing import Final

import yaml

#: PyYAML's loader of plain data, in C where its wheel has it.
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Characters of what may be a number.
_NUMBER_LENGTH: Final = 100
_NUMBER: Final = re.compile(r"[-+.0-9a-fA-FxXoO_:eE]+")


class YamlLimitError(ValueError):
    """A document holds too much; `line` says where, counted from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{reason} (line {line})")
        self.line, self.reason = line, reason


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """The most of what a file may hold.

    Documents; values of one document, keys among them, an alias for all that it stands for; how
    deep they are nested; and characters of one text.
    """

    documents: int
    values: int
    depth: int
    text: int


def check_yaml(text: str, limits: YamlLimits) -> None:
    """Raise YamlLimitError for text with more than the limits, yaml.YAMLError if it is no YAML."""
    count = _Count(limits)
    for event in yaml.parse(text, Loader=LOADER):
        mark = event.start_mark
        count.add(event, mark.line + 1 if mark else 1)


class _Count:
    """What was seen of a file so far."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._documents = self._values = 0
        self._sizes: dict[str | None, int] = {}
        self._within: list[tuple[str | None, int]] = []

    def add(self, event: yaml.Event, line: int) -> None:
        """Count an event that begins in a line; raises YamlLimitError."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._begin(line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._within.append((event.anchor, self._values))
            self._values += 1
            if len(self._within) > self._limits.depth:
                raise YamlLimitError(line, f"nested more than {self._limits.depth} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._within.pop()
            self._sizes[anchor] = self._values - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self._within):
                raise YamlLimitError(line, f"*{event.anchor or '':.40} stands inside itself")
            self._values += self._sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            self._values += 1
            self._sizes[event.anchor] = 1
            _check_scalar(event, line, self._limits)
        if self._values > self._limits.values:
            raise YamlLimitError(line, f"more than {self._limits.values:,} values in one document")

    def _begin(self, line: int) -> None:
        self._documents += 1
        self._values, self._sizes = 0, {}
        if self._documents > self._limits.documents:
            most = self._limits.documents
            raise YamlLimitError(line, f"more than {most:,} documents in one file")


def _check_scalar(event: yaml.ScalarEvent, line: int, limits: YamlLimits) -> None:
    length = len(event.value)
    if length > limits.text:
        raise YamlLimitError(line, f"a text of {length:,} characters; the most is {limits.text:,}")
    if length > _NUMBER_LENGTH and not event.style and _NUMBER.fullmatch(event.value):
        raise YamlLimitError(line, f"a number of {length:,} digits")
