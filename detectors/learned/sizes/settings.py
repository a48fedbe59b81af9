"""What people may set about sizes and numbers of objects: [sizes]."""

from pydantic import BaseModel, ConfigDict, Field


class SizesSettings(BaseModel):
    """How long a route's own distribution is learned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_days: int = Field(
        default=3, ge=1, le=90, description="whole days of a route before it is judged"
    )
    learning_answers: int = Field(
        default=1_000, ge=10, description="answers of a route before their sizes are judged"
    )
    learning_callers: int = Field(
        default=200,
        ge=1,
        description="callers of a route in ten minutes before their objects are judged",
    )
