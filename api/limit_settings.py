"""How often somebody may ask, as the settings say."""

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    """Requests a minute, before the answer is 429."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authentication: int = Field(
        default=10, ge=1, description="that fail to authenticate, per address; then no key is tried"
    )
    read: int = Field(default=600, ge=1, description="that read, per key or session")
    write: int = Field(default=120, ge=1, description="that change something, per key or session")
    export: int = Field(default=12, ge=1, description="exports begun, per key or session")
    address: int = Field(default=12_000, ge=1, description="of all kinds, per address")
