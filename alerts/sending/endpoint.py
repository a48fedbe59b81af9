"""Where a target's messages go over the network, without what is secret of its address."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from alerts.messages.apprise_service import service_of
from alerts.messages.message import ALERTMANAGER_SCHEMES
from alerts.routing.target import Target
from alerts.transports import transport_of

_PORTS: Final = {"http": 80, "https": 443}

#: Where Apprise's plugins keep the address of their service, if it is always the same.
_CONSTANTS: Final = ("notify_url", "webhook_url", "api_url")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and port; `web` is its scheme if it is spoken to over HTTP."""

    host: str
    port: int
    web: str | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of(target: Target) -> Endpoint | None:
    """Return where messages to a target go, None if only the channel itself knows.

    Of many services the place of the host in an address holds a token: it is a host only if it
    always is one. Raises TargetError for an address that cannot be used.
    """
    transport_of(target)
    url = urlsplit(target.url.get_secret_value())
    if url.scheme.lower() in ALERTMANAGER_SCHEMES:
        return _web(url, "https" if url.scheme.lower() == "alertmanagers" else "http")
    return next(map(_of_plugin, service_of(target)))


def _of_plugin(plugin: Any) -> Endpoint | None:  # noqa: ANN401 - Apprise's plugins have no type
    kind = type(plugin)
    mail = getattr(plugin, "smtp_host", None)
    if isinstance(mail, str) and mail:
        return Endpoint(mail, int(plugin.port or 25))
    templates = tuple(map(str, kind.templates))
    if templates and all("{host}" in template for template in templates):
        scheme = "https" if plugin.secure else "http"
        return Endpoint(str(plugin.host), int(plugin.port or _PORTS[scheme]), scheme)
    if any("{host}" in template for template in templates):
        return None
    for name in _CONSTANTS:
        url = urlsplit(str(getattr(kind, name, "")))
        if url.scheme in _PORTS and url.hostname and "{" not in url.netloc:
            return _web(url, url.scheme)
    return None


def _web(url: SplitResult, scheme: str) -> Endpoint | None:
    return Endpoint(url.hostname, url.port or _PORTS[scheme], scheme) if url.hostname else None
