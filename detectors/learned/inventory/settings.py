"""What people may set about the inventory: [inventory]."""

from pydantic import BaseModel, ConfigDict, Field


class InventorySettings(BaseModel):
    """How endpoints are watched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_days: int = Field(
        default=7,
        ge=1,
        le=90,
        description="days with answers of a service before a route of it can be new",
    )
    tell_again_days: int = Field(
        default=7,
        ge=1,
        le=400,
        description="days after which an endpoint is told again if it is still there",
    )
