"""What people may set about the client model: [clients]."""

from pydantic import BaseModel, ConfigDict, Field


class ClientSettings(BaseModel):
    """How the client model is trained, and where it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None,
        min_length=1,
        description="file of the trained model; without it, clients.model beside the server's"
        " secret",
    )
    false_alarms_per_day: float = Field(
        default=1.0,
        gt=0,
        le=1_000,
        description="clients that may be told wrongly a day, all in all: training sets the limit"
        " by it",
    )
