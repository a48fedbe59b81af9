"""What may be blocked, as the settings say."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from ingest.durations import Duration

#: Detectors that hardly ever mean anything but an attack by the client itself.
BLOCKABLE: Final = (
    "command_injection",
    "credential_stuffing",
    "exploit_probe",
    "log4shell",
    "path_traversal",
    "sensitive_files",
    "server_side_request_forgery",
    "sql_injection",
)


class BlockSettings(BaseModel):
    """The block list. It is a weapon: whoever can make others look like attackers points it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="offer addresses to be blocked")
    dry_run: bool = Field(
        default=False, description="list what would be blocked, and give nothing to firewalls"
    )
    detectors: tuple[str, ...] = Field(
        default=BLOCKABLE,
        description="whose clients are blocked, in incidents of level high or above",
    )
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="what is never blocked: your own networks, partners"
    )
    length: Duration = Field(
        default="4h", validate_default=True, description="after the last event of the incident"
    )
    entries: int = Field(default=10_000, ge=1, le=100_000, description="addresses at most")
    new_a_minute: int = Field(
        default=30, ge=1, le=10_000, description="addresses that are added in a minute at most"
    )
