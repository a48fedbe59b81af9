"""Sources: which logs to read, and what is known about them."""

import difflib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    field_validator,
    model_validator,
)

from ingest.clients import ClientAddresses
from ingest.durations import Duration
from ingest.formats import FORMATS, PATTERNS, FormatError, compile_pattern
from ingest.formats.json_names import MAPPABLE
from ingest.wrappers.ignored import checked_pattern

#: host, host:port, [IPv6]:port. Without a port it is Kafka's usual one.
_BROKER: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/,\[\]@]+)(?::(?P<port>[0-9]{1,5}))?")

Role = Literal["edge", "internal"]
Place = Literal["beginning", "end"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Source(BaseModel):
    """What files and topics have in common: how lines are read, and where they were seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(default="auto", description="auto, or a name from docs/formats.md")
    pattern: str | None = Field(
        default=None, description="the log_format or LogFormat line, for such a format"
    )
    fields: str | None = Field(
        default=None, description="W3C: the names of a #Fields line that the log does not have"
    )
    mapping: dict[str, str] = Field(
        default_factory=dict, description="JSON: column = field name; dots go into objects"
    )
    timezone: str = Field(default="UTC", description="zone of times without an offset")
    ignore: tuple[str, ...] = Field(
        default=(), description="regular expressions; lines that match one are not access lines"
    )
    service: str | None = Field(default=None, description="what lines are of, if they do not say")
    environment: str | None = Field(default=None, description="likewise: production, staging")
    role: Role = Field(default="edge", description="edge: where clients arrive; else internal")
    lateness: Duration = Field(
        default=timedelta(seconds=5), description="how far lines may be out of order"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="addresses and networks whose X-Forwarded-For is believed"
    )

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        known = ["auto", *FORMATS, *PATTERNS]
        if name not in known:
            raise ValueError(f"unknown format {name!r}{_suggestion(name, known)}")
        return name

    @field_validator("mapping")
    @classmethod
    def _known_columns(cls, mapping: dict[str, str]) -> dict[str, str]:
        for column, name in mapping.items():
            if column not in MAPPABLE:
                raise ValueError(
                    f"no column {column!r} of events can be mapped"
                    f"{_suggestion(column, sorted(MAPPABLE))}"
                )
            if not name or any(not part for part in name.split(".")):
                raise ValueError(f"the field name {name!r} for {column!r} has an empty component")
        return mapping

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"unknown time zone {name!r}; write one like Europe/Paris") from None
        return name

    @field_validator("ignore")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_pattern(pattern) for pattern in patterns)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        ClientAddresses(entries)
        return entries

    @model_validator(mode="after")
    def _format_agrees(self) -> Self:
        if self.mapping and self.format not in ("auto", "json"):
            raise ValueError(f"a mapping needs format 'json', not {self.format!r}")
        if self.fields is not None and self.format not in ("auto", "w3c", "iis", "cloudfront"):
            raise ValueError(f"fields need format 'w3c', not {self.format!r}")
        if self.pattern is None and self.format in PATTERNS:
            raise ValueError(
                f"format {self.format!r} needs a pattern: the format string of the server's"
                " own configuration"
            )
        if self.pattern is not None and self.format not in PATTERNS:
            wanted = " or ".join(repr(name) for name in PATTERNS)
            raise ValueError(f"a pattern needs format {wanted}, not {self.format!r}")
        if self.pattern is not None:
            try:
                compile_pattern(self.format, self.pattern)
            except FormatError as error:
                raise ValueError(f"pattern: {error}") from None
        return self


class FileSource(Source):
    """Log files that share service, environment, role, lateness and format.

    `paths` are paths, folders, globs, or "-" for standard input.
    """

    paths: tuple[str, ...] = Field(min_length=1, description="paths, folders and globs")

    #: How long one must have been quiet until time passes without it; the follower's if not set.
    idle: ClassVar[timedelta | None] = None

    @field_validator("paths")
    @classmethod
    def _no_empty_path(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if not all(paths):
            raise ValueError("a path is empty; write the path of a log, a folder or a glob")
        return paths


class OwnLog(FileSource):
    """A log that this machine writes at once, and seldom: time need not wait for it for long."""

    idle: ClassVar[timedelta] = timedelta(seconds=3)


class KafkaSource(Source):
    """Topics of one Kafka cluster.

    A record holds a line, several lines, a JSON object or a shipper's envelope. `start` says
    where a partition without a stored position begins.
    """

    bootstrap_servers: tuple[str, ...] = Field(min_length=1, description="host:port")
    topics: tuple[str, ...] = Field(min_length=1)
    start: Place | datetime = Field(
        default="end", description="beginning, end or a time: where reading begins at first"
    )
    hold_back: Duration = Field(
        default=timedelta(minutes=10),
        description="how long time waits in other sources while the cluster does not answer",
    )
    group_id: str = Field(
        default="vedette",
        min_length=1,
        description="under which lag tools see how far reading has come",
    )
    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = Field(default=None, description="PEM; the system's if not set")
    certificate_file: Path | None = Field(default=None, description="the client's own, PEM")
    key_file: Path | None = Field(default=None, description="its key, PEM")
    key_password: SecretStr | None = None

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for number, server in enumerate(servers, 1):
            found = _BROKER.fullmatch(server)
            if found is None or int(found["port"] or 1) not in range(1, 65_536):
                raise ValueError(
                    f"entry {number} is no broker: expected host:port, one entry a broker,"
                    " as in kafka-1:9092 or [2001:db8::7]:9092"
                )
        return servers

    @field_validator("start", mode="before")
    @classmethod
    def _place_or_time(cls, start: Any) -> Any:  # noqa: ANN401 - what a settings file may hold
        if isinstance(start, str) and start not in get_args(Place):
            try:
                start = datetime.fromisoformat(start)
            except ValueError:
                start = None
        if isinstance(start, datetime):
            return start if start.tzinfo else start.replace(tzinfo=UTC)
        if isinstance(start, str):
            return start
        raise ValueError("must be beginning, end, or a date and time as 2026-11-02T08:00:00Z")

    @model_validator(mode="after")
    def _security_agrees(self) -> Self:
        sasl = self.security_protocol.startswith("SASL_")
        if sasl and None in (self.sasl_mechanism, self.username, self.password):
            raise ValueError("SASL needs sasl_mechanism, username and password")
        if not sasl and (self.sasl_mechanism or self.username or self.password):
            raise ValueError("a username or sasl_mechanism needs security_protocol SASL_SSL")
        files = (self.ca_file, self.certificate_file, self.key_file)
        if any(files) and not self.security_protocol.endswith("SSL"):
            raise ValueError("certificates need security_protocol SSL or SASL_SSL")
        if self.key_password is not None and self.key_file is None:
            raise ValueError("key_password needs key_file and certificate_file")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file need each other")
        return self


def _kind(written: Any) -> str:  # noqa: ANN401 - what a settings file may hold
    if isinstance(written, KafkaSource):
        return "kafka"
    if isinstance(written, dict) and {"topics", "bootstrap_servers"} & set(written):
        return "kafka"
    return "files"


#: What sources are called where their settings are checked.
SOURCE_KINDS: Final[dict[str, type[Source]]] = {"files": FileSource, "kafka": KafkaSource}

#: Files or topics, told apart by their keys.
AnySource = Annotated[
    Annotated[FileSource, Tag("files")] | Annotated[KafkaSource, Tag("kafka")],
    Discriminator(_kind),
]


def files_among(sources: Sequence[FileSource | KafkaSource]) -> tuple[FileSource, ...]:
    """Return the sources that are files."""
    return tuple(source for source in sources if isinstance(source, FileSource))


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (known: {', '.join(known)})"
