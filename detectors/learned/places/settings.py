"""What people may set about countries: [countries]."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from detectors.learned.places.outlines import circles

#: What people write for a country, and what its code is.
_OFTEN: Final = {"UK": "GB", "EN": "GB", "EL": "GR", "USA": "US"}


def _known(code: str) -> str:
    country = code.strip().upper()
    if not circles(country):
        meant = _OFTEN.get(country)
        hint = f"write {meant}" if meant else "write two letters of ISO 3166-1, like DE or BR"
        raise ValueError(f"is no country: {hint}")
    return country


Country = Annotated[str, AfterValidator(_known)]


class CountrySettings(BaseModel):
    """Which countries a service is there for, and how its countries are learned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocked: tuple[Country, ...] = Field(
        default=(),
        description="countries (two letters of ISO 3166-1) whose requests nobody should answer",
    )
    expected: tuple[Country, ...] = Field(
        default=(),
        description="the only countries that requests should come from; empty: all are expected",
    )
    reliable: bool | None = Field(
        default=None,
        description="whether countries of events are good enough to alert on; by default they"
        " are, unless they are the labels that come with Vedette",
    )
    learning_days: int = Field(
        default=7,
        ge=1,
        le=90,
        description="days with requests of a service before a country can be new to it",
    )
    travel_days: int = Field(
        default=3,
        ge=1,
        le=90,
        description="days with requests of a user or API key before its travels are judged",
    )
    memory_days: int = Field(
        default=60,
        ge=2,
        le=730,
        description="days after which what was not seen again is forgotten",
    )
    usual: int = Field(
        default=30,
        ge=1,
        le=250,
        description="countries of a service from which on another is no news",
    )

    def given(self, *, bundled: bool) -> "CountrySettings":
        """Return them with `reliable` decided, where countries may be bundled labels."""
        if self.reliable is not None:
            return self
        return self.model_copy(update={"reliable": not bundled})
