"""What people may set about first-seen and rare countries, networks and user agents."""

from pydantic import BaseModel, ConfigDict, Field


class SeenSettings(BaseModel):
    """How much must be known of a user or API key, and for how long it is remembered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_days: int = Field(
        default=5,
        ge=1,
        le=90,
        description="days with requests of a user or API key before anything can be new about it",
    )
    learning_requests: int = Field(
        default=50, ge=1, description="accepted requests that these days must have brought"
    )
    memory_days: int = Field(
        default=60,
        ge=2,
        le=730,
        description="days after which what was not seen again is forgotten, and can be new again",
    )
    rare_days: int = Field(
        default=14,
        ge=1,
        le=730,
        description="days after which what was seen on a single day only is told once more",
    )
    usual: int = Field(
        default=6,
        ge=1,
        le=16,
        description="countries, networks or user agents (each) from which on another is no news",
    )
