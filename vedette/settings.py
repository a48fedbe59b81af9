"""Settings: one TOML file, overridden by the environment (VEDETTE_API__PORT=8443).

Unknown keys are refused with their place and a suggestion. Nothing is read at import.
"""

import os
import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as EnvironmentParseError

from alerts.blocking.settings import BlockSettings
from api.hosts import LOOPBACK, is_loopback
from api.limit_settings import LimitSettings
from api.oidc_settings import OidcSettings
from detectors.learned.clients.settings import ClientSettings
from detectors.learned.inventory import InventorySettings
from detectors.learned.places import CountrySettings
from detectors.learned.seen import SeenSettings
from detectors.learned.sizes import SizesSettings
from detectors.learned.spikes import SpikesSettings
from detectors.overrides import ApiKeyHash, RuleOverride
from ingest.durations import Duration
from ingest.geo import GeoSettings
from ingest.sources import SOURCE_KINDS, AnySource, KafkaSource
from vedette.environment import Environment, VariableError
from vedette.folders import sqlite_url, state_folder
from vedette.notify_settings import (
    InhibitSettings,
    MaintenanceSettings,
    NotifySettings,
    TargetSettings,
    check_notifications,
)

#: What is expected, where pydantic says it in the words of Python.
_EXPECTED: Final = {
    "missing": "is needed",
    "string_type": "must be a text in quotes",
    "tuple_type": 'must be a list, as in ["..."]',
    "dict_type": 'must be a table, as in { name = "..." }',
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "path_type": "must be a path in quotes",
    "model_type": "must be a table of its own, with its name in brackets",
    "ip_v4_network": 'must be a network as in "203.0.113.0/24", no other bits set',
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "datetime_from_date_parsing": "must be a date and time, as in 2026-12-31T00:00:00Z",
}

#: The same of messages with values in them.
_WORDS: Final = (
    ("Input should be greater than or equal to", "must be at least"),
    ("Input should be less than or equal to", "must be at most"),
    ("Input should be", "must be"),
    ("Value error, ", ""),
)

#: Keys whose values are tables in a list.
_TABLES: Final = ("sources", "exceptions", "routes", "inhibit", "maintenance")

#: What to do about a key that is for the other kind of source.
_OTHER_KIND: Final = {
    "files": "this source reads files; topics are a source with bootstrap_servers and topics",
    "kafka": "this source reads topics of Kafka; files are a source of their own, with paths",
}


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the file, the key and what to do."""


class StoreSettings(BaseModel):
    """Where incidents are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        default_factory=lambda: SecretStr(sqlite_url(state_folder() / "vedette.db")),
        description="database URL: SQLite, or PostgreSQL as postgresql+psycopg://",
    )


class LogSettings(BaseModel):
    """The log of the service itself, on stderr."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["text", "json"] = Field(
        default="text", description="a line is key=value pairs, or a JSON object"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is less severe is left out"
    )


class TlsSettings(BaseModel):
    """A certificate of the API's own; PEM files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path = Field(description="the certificate and its chain")
    key: Path = Field(description="the private key")


class ApiSettings(BaseModel):
    """The incident API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8787, ge=0, le=65535, description="0 takes any free port")
    behind_proxy: bool = Field(
        default=False, description="a proxy in front ends TLS: allows a public address"
    )
    proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=LOOPBACK,
        description="proxies that are believed, with behind_proxy, who it is that asks",
    )
    tls: TlsSettings | None = Field(default=None, description="allows a public address")
    hosts: tuple[str, ...] = Field(
        default=(),
        description="names that it is asked for by, as in a browser's address; requests for others"
        " are refused. On a loopback address its names are known",
    )
    limits: LimitSettings = Field(default_factory=LimitSettings)
    oidc: OidcSettings | None = Field(default=None, description="takes tokens of an issuer, too")

    access_log: bool = Field(
        default=True,
        description="refused requests to the API are a log of their own, which is read like yours",
    )

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """The hosts that are answered; none: any, as nobody said which."""
        if is_loopback(self.host):
            return ("localhost", "127.0.0.1", "::1", self.host, *self.hosts)
        return (self.host, *self.hosts) if self.hosts else ()


class RulesSettings(BaseModel):
    """Where rules come from, beside the built-in ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: tuple[Path, ...] = Field(default=(), description="folders of Sigma rules")
    placeholders: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="lists that rules share, in place of the built-in ones"
    )

    @field_validator("placeholders")
    @classmethod
    def _have_values(cls, given: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """A list of nothing would silence every rule that names it."""
        empty = [name for name, values in given.items() if not values]
        if empty:
            raise ValueError(f"{empty[0]} has no values")
        return given


class TierSettings(BaseModel):
    """Callers that may do more than others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: int = Field(ge=1, description="how many times the limit of rates they have")
    clients: tuple[str, ...] = Field(default=(), description="addresses")
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(default=(), description="of clients")
    users: tuple[str, ...] = Field(default=(), description="as the log has them")
    api_keys: tuple[ApiKeyHash, ...] = Field(
        default=(), description="pseudonyms, as incidents show them"
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> "TierSettings":
        if not (self.clients or self.networks or self.users or self.api_keys):
            raise ValueError("a tier must name clients, networks, users or api_keys")
        return self


class RouteSettings(BaseModel):
    """How paths become route templates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    openapi: tuple[Path, ...] = Field(
        default=(), description="OpenAPI documents whose paths are the routes, where one fits"
    )
    learn: bool = Field(
        default=True, description="segments with very many answered values become {id} (run only)"
    )


class PrivacySettings(BaseModel):
    """What of people is kept only as a pseudonym."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pseudonymise: tuple[Literal["user", "client_ip"], ...] = Field(
        default=(), description="user and client_ip become keyed hashes before detection"
    )


class QuarantineSettings(BaseModel):
    """What is kept of lines that could not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Duration = Field(
        default="14d", validate_default=True, description="masked samples expire after this"
    )


class RetentionSettings(BaseModel):
    """How long is kept what was found and told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    incidents: Duration = Field(
        default="400d",
        validate_default=True,
        description="incidents that are over are deleted this long after their last event",
    )
    deliveries: Duration = Field(
        default="90d", validate_default=True, description="what was sent when is known this long"
    )
    endpoints: Duration = Field(
        default="90d",
        validate_default=True,
        description="endpoints and their counts are kept this long after they were last seen",
    )
    audit: Duration = Field(
        default="400d",
        validate_default=True,
        description="who changed what over the API, and who was refused, is known this long",
    )


class BacktestSettings(BaseModel):
    """What back-tests keep of logs, to judge them again without reading them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = Field(
        default=None, description="where masked events and counts are kept; else the state folder"
    )
    cache_mb: int = Field(
        default=20_000, ge=0, description="megabytes kept; the longest unused logs leave first"
    )


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="VEDETTE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    sources: tuple[AnySource, ...] = ()
    store: StoreSettings = Field(default_factory=StoreSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    targets: dict[str, TargetSettings] = Field(default_factory=dict)
    inhibit: tuple[InhibitSettings, ...] = ()
    maintenance: tuple[MaintenanceSettings, ...] = ()
    rules: RulesSettings = Field(default_factory=RulesSettings)
    geo: GeoSettings = Field(default_factory=GeoSettings)
    routes: RouteSettings = Field(default_factory=RouteSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    quarantine: QuarantineSettings = Field(default_factory=QuarantineSettings)
    blocklist: BlockSettings = Field(default_factory=BlockSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    spikes: SpikesSettings = Field(default_factory=SpikesSettings)
    seen: SeenSettings = Field(default_factory=SeenSettings)
    countries: CountrySettings = Field(default_factory=CountrySettings)
    sizes: SizesSettings = Field(default_factory=SizesSettings)
    inventory: InventorySettings = Field(default_factory=InventorySettings)
    clients: ClientSettings = Field(default_factory=ClientSettings)
    tiers: dict[str, TierSettings] = Field(default_factory=dict)
    detectors: dict[str, RuleOverride] = Field(default_factory=dict)
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """Where they were read from, from the root on; None without a file."""
        return self._file

    def read_from(self, file: Path | None) -> Self:
        """Keep where they were read from, and return them."""
        self._file = None if file is None else file.absolute()
        return self

    @field_validator("sources")
    @classmethod
    def _topics_differ(cls, sources: tuple[AnySource, ...]) -> tuple[AnySource, ...]:
        """Partitions are known by their topic's name, whatever the cluster."""
        topics = [t for s in sources if isinstance(s, KafkaSource) for t in s.topics]
        twice = sorted({topic for topic in topics if topics.count(topic) > 1})
        if twice:
            raise ValueError(f"topic {twice[0]!r} is named twice; a topic belongs to one source")
        return sources

    @model_validator(mode="after")
    def _notifications_fit(self) -> "Settings":
        check_notifications(self.notify, self.targets, self.inhibit, self.maintenance)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file; nothing else is read."""
        del env_settings, dotenv_settings, file_secret_settings
        return Environment(settings_cls, init_settings()), init_settings


def load_settings(file: Path | None) -> Settings:
    """Read the settings of a file (None: defaults) and of the environment.

    Raises SettingsError, naming file, key and what was expected.
    """
    _check_environment()
    return _validated({} if file is None else _read(file), file).read_from(file)


def settings_from(text: str) -> Settings:
    """Return settings written as TOML text, for runs that bring their own."""
    return _validated(tomllib.loads(text), None)


def changed_settings(settings: Settings, changes: Sequence[str]) -> Settings:
    """Return settings with some keys changed, each written as in TOML: `api.port = 9000`.

    Raises SettingsError.
    """
    written = {} if settings.file is None else _read(settings.file)
    for change in changes:
        try:
            written = _merged(written, tomllib.loads(change))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(
                f"{change}: not valid TOML ({error}); write a key and its value, as in"
                " detectors.request_rate.threshold=900"
            ) from error
    return _validated(written, settings.file).read_from(settings.file) if changes else settings


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        inner = both.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            both[key] = _merged(inner, value)
        else:
            both[key] = value
    return both


def _validated(written: dict[str, Any], file: Path | None) -> Settings:
    try:
        return Settings(**written)
    except ValidationError as error:
        raise SettingsError("\n".join(_complaints(error, file))) from error
    except EnvironmentParseError as error:
        raise SettingsError(f"environment: {error}; lists and tables are written as JSON") from None
    except VariableError as error:
        raise SettingsError(f"environment: {error}") from None


def _check_environment() -> None:
    for name in os.environ:
        if not name.startswith("VEDETTE_"):
            continue
        key = name.removeprefix("VEDETTE_").split("__")[0].lower()
        if key not in Settings.model_fields:
            raise SettingsError(f"environment: {name}: unknown setting{_hint(key, Settings)}")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{file}: no such file. `vedette init` writes one with every setting explained."
        ) from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error


def _complaints(error: ValidationError, file: Path | None) -> Iterator[str]:
    """Say per mistake where it is and what to do; never the value, which may be a secret."""
    for mistake in error.errors(include_input=False, include_url=False):
        place = mistake["loc"]
        shown = (str(p) for p in place if p not in SOURCE_KINDS and "[" not in str(p))
        where = f"{file or 'settings'}: {'.'.join(shown)}" if place else str(file or "settings")
        if mistake["type"] == "extra_forbidden":
            yield f"{where}: {_unknown(place)}"
        elif mistake["type"] == "value_error":
            yield f"{where}: {mistake['ctx']['error']}"
        elif mistake["type"] == "ip_v6_network":
            continue  # said by its twin, ip_v4_network
        elif place == ("routes",) and mistake["type"] == "model_type":
            yield f"{where}: is a table about paths; who is told of what is [[notify.routes]]"
        elif mistake["type"] == "tuple_type" and place[-1] in _TABLES:
            yield f"{where}: stands in double brackets, as in [[{'.'.join(map(str, place))}]]"
        else:
            yield f"{where}: {_EXPECTED.get(mistake['type']) or _in_words(mistake['msg'])}"


def _in_words(message: str) -> str:
    """Return what pydantic says in the words of the other messages."""
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    return message


def _unknown(place: tuple[int | str, ...]) -> str:
    """Say about a key that is not known where it belongs, or which one may be meant."""
    key = str(place[-1])
    for kind in SOURCE_KINDS.keys() & set(place):
        if any(key in model.model_fields for model in SOURCE_KINDS.values()):
            return _OTHER_KIND[kind]
    return f"unknown key{_hint(key, _model_at(place[:-1]))}"


def _hint(key: str, model: Any) -> str:  # noqa: ANN401 - a model, or any type without fields
    known = [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]
    near = get_close_matches(key, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _model_at(place: tuple[int | str, ...]) -> Any:  # noqa: ANN401
    """Return the model that the settings have at a place."""
    current: Any = Settings
    for part in place:
        if part in SOURCE_KINDS:
            current = SOURCE_KINDS[str(part)]
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is not None:
            current = _inner(field.annotation)
    return current


def _inner(annotation: Any) -> Any:  # noqa: ANN401
    """Return the model inside tuple[Model, ...] or dict[str, Model], or Model itself."""
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            return argument
    return annotation
