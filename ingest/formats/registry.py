"""All formats by name, the most specific first: where two take the same lines, the first has them.

Formats that are declared in a file are loaded when they are asked for.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ingest.formats import combined, common, declared, json_lines, vhost_combined
from ingest.formats.parsed import Format

#: Name -> the format, or None if it is declared in catalogue/NAME.toml.
_ENTRIES: Final[Mapping[str, Format | None]] = MappingProxyType(
    {
        "ingress_nginx": None,
        "kong_text": None,
        "traefik": None,
        "haproxy": None,
        "aws_alb": None,
        "aws_elb": None,
        "cloudfront": None,
        "iis": None,
        "w3c": None,
        "istio_text": None,
        "envoy_text": None,
        "nginx_proxy_manager": None,
        "npmplus": None,
        "bunkerweb": None,
        "cpanel": None,
        "zoraxy": None,
        "apache_ssl_request": None,
        "traefik_json": None,
        "caddy": None,
        "envoy_json": None,
        "kong": None,
        "api_gateway": None,
        "cloudfront_json": None,
        "cloudflare": None,
        "azure_gateway": None,
        "azure_gateway_v1": None,
        "gcp_load_balancer": None,
        "fastly": None,
        "ocsf": None,
        "ecs": None,
        "json": json_lines.FORMAT,
        "vhost_combined": vhost_combined.FORMAT,
        "combined": combined.FORMAT,
        "common": common.FORMAT,
    }
)


class _Formats(Mapping[str, Format]):
    def __getitem__(self, name: str) -> Format:
        found = _ENTRIES[name]
        return found if found is not None else declared.declared(name)

    def __contains__(self, name: object) -> bool:
        return name in _ENTRIES

    def __iter__(self) -> Iterator[str]:
        return iter(_ENTRIES)

    def __len__(self) -> int:
        return len(_ENTRIES)


FORMATS: Final[Mapping[str, Format]] = _Formats()

#: The formats that are declared in files.
DECLARED: Final = tuple(name for name, entry in _ENTRIES.items() if entry is None)
