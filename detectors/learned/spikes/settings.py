"""What people may set about spikes."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator


class SpikesSettings(BaseModel):
    """How long is learned, in whose hours, and how many false alarms are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str = Field(
        default="UTC",
        description="zone of the people who use the API, as in Europe/Berlin: their hours of the"
        " week are learned, and shift when clocks change",
    )
    false_alarms_per_day: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="false alarms a day of all these detectors that you accept: a third each for"
        " all traffic, for services and for routes",
    )
    learning_days: int = Field(
        default=7,
        ge=1,
        le=60,
        description="days that a service or route is watched before anything is found about it",
    )

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"{name!r} is not a time zone; write one as in Europe/Berlin, or UTC"
            ) from error
        return name
