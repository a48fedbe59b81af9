"""Episodes: what is true about a log. Read from JSON lines or CSV."""

import csv
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from detectors.findings import EntityType
from ingest.pseudonyms import PREFIXES, Pseudonyms
from vedette.simulation.truth import Truth

#: Entity type and value, as incidents name them.
Entity = tuple[str, str]

#: Columns that the settings tell to pseudonymise.
Columns = Collection[str]

Kind = Literal["attack", "benign", "unsure"]

#: Words of truth files for the kinds; the simulator has some of its own.
_LABELS: Final[dict[str, Kind]] = {
    "attack": "attack",
    "benign": "benign",
    "near_miss": "benign",
    "unsure": "unsure",
    "unseen": "unsure",
}


class TruthError(ValueError):
    """A truth file cannot be understood; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What some entity did over a span of time.

    An attack is to be found, what is benign is not; of what is unsure nothing is right or wrong.
    An incident about any of `entities` is about the episode, and one about a client among
    `members` is part of it. `detectors` may rightly fire, the first of them must; empty where
    nobody said. Times are UTC, those of its first and last request.
    """

    name: str
    kind: Kind
    entities: frozenset[Entity]
    started_at: datetime
    ended_at: datetime
    detectors: tuple[str, ...] = ()
    intensity: str | None = None
    members: frozenset[str] = frozenset()

    @property
    def attack(self) -> bool:
        """Whether it is to be found."""
        return self.kind == "attack"


def read_episodes(path: Path) -> list[Episode]:
    """Read a truth file: CSV if the name ends in .csv, else one JSON object a line.

    Raises TruthError, naming file and line, and OSError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _json_rows(text)
        return list(_episodes(path, rows))
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: not UTF-8 text; {_EXPECTED}") from error


def episodes_of(rows: Iterable[Truth]) -> list[Episode]:
    """Return the truth about a simulated run as episodes."""
    return [_Row.model_validate(asdict(row)).episode() for row in rows]


def disguised(
    episodes: Iterable[Episode], pseudonyms: Pseudonyms, columns: Columns
) -> list[Episode]:
    """Return the episodes as incidents name them: API keys, and what `columns` say, as hashes."""
    hashed = {"api_key": "api_key"}
    if "user" in columns:
        hashed["user"] = "user"
    if "client_ip" in columns:
        hashed |= {"client": "client_ip", "network": "client_network"}

    def name(entity: Entity) -> Entity:
        kind, value = entity
        if kind not in hashed or value.startswith(f"{PREFIXES[hashed[kind]]}-"):
            return entity
        return kind, pseudonyms.pseudonym(hashed[kind], value)

    return [
        replace(
            episode,
            entities=frozenset(map(name, episode.entities)),
            members=frozenset(name(("client", member))[1] for member in episode.members),
        )
        for episode in episodes
    ]


_EXPECTED: Final = (
    "a truth file has one JSON object a line or, if its name ends in .csv, the header "
    "entity_type,entity,from,to,label (docs/evaluation.md)"
)


#: Columns that a CSV must have, under any of these names.
_NEEDED: Final = (
    ("entity_type",),
    ("entity",),
    ("from", "started_at"),
    ("to", "ended_at"),
    ("label", "kind"),
)

#: What is expected, where pydantic says it in the words of Python.
_WRONG: Final = {
    "missing": "is needed",
    "datetime_from_date_parsing": "must be a date and time, as in 2026-11-02T08:10:00Z",
    "datetime_parsing": "must be a date and time, as in 2026-11-02T08:10:00Z",
    "datetime_type": "must be a date and time, as in 2026-11-02T08:10:00Z",
    "tuple_type": 'must be a list, as in ["..."]',
}


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError:
            yield number, None


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    head = {name.strip() for name in reader.fieldnames or ()}
    lacking = [each for each in _NEEDED if head.isdisjoint(each)]
    if lacking:
        names = ", ".join(each[0] for each in lacking)
        raise TruthError(f"{path}:1: the header lacks {names}; {_EXPECTED}")
    for row in reader:
        given = {key.strip(): value for key, value in row.items() if key and value}
        yield reader.line_num, given


def _episodes(path: Path, rows: Iterable[tuple[int, Any]]) -> Iterator[Episode]:
    for number, row in rows:
        if not isinstance(row, dict):
            raise TruthError(f"{path}:{number}: not a JSON object; {_EXPECTED}")
        try:
            yield _Row.model_validate(row).episode()
        except ValidationError as error:
            mistake = error.errors(include_input=False, include_url=False)[0]
            key = ".".join(str(part) for part in mistake["loc"])
            why = _WRONG.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
            place = f"{key}: " if key else ""
            raise TruthError(f"{path}:{number}: {place}{why}; {_EXPECTED}") from None


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _label(value: object) -> object:
    return _LABELS.get(str(value).strip().lower(), value)


Time = Annotated[datetime, AfterValidator(_in_utc)]


class _Row(BaseModel):
    """A row of a truth file; keys that it does not know are somebody else's."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    entity_type: EntityType
    entity: str = Field(min_length=1)
    started_at: Time = Field(validation_alias=AliasChoices("from", "started_at"))
    ended_at: Time = Field(validation_alias=AliasChoices("to", "ended_at"))
    label: Annotated[Kind, BeforeValidator(_label)] = Field(
        validation_alias=AliasChoices("label", "kind")
    )
    name: str | None = Field(default=None, validation_alias=AliasChoices("name", "scenario"))
    detectors: tuple[str, ...] = ()
    intensity: str | None = None
    also: tuple[tuple[EntityType, str], ...] = ()
    members: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> "_Row":
        self.episode()  # its addresses can be read
        if self.ended_at < self.started_at:
            raise ValueError("it ends before it begins")
        return self

    def episode(self) -> Episode:
        return Episode(
            name=self.name or f"{self.entity_type} {self.entity.strip()}",
            kind=self.label,
            entities=frozenset(
                (kind, _plain(kind, value))
                for kind, value in ((self.entity_type, self.entity), *self.also)
            ),
            started_at=self.started_at,
            ended_at=self.ended_at,
            detectors=self.detectors,
            intensity=self.intensity,
            members=frozenset(_plain("client", member) for member in self.members),
        )


def _plain(entity_type: str, entity: str) -> str:
    """Return addresses as the event table spells them, all else as it is.

    Raises ValueError for what is neither an address nor a pseudonym.
    """
    if entity.startswith(tuple(f"{prefix}-" for prefix in PREFIXES.values())):
        return entity
    if entity_type == "client":
        return str(ip_address(entity.strip()))
    if entity_type == "network":
        return str(ip_network(entity.strip(), strict=False))
    return entity
