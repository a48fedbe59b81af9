"""Sources: which logs to read, and what is known about them."""

import difflib
from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ingest.durations import Duration
from ingest.formats import FORMATS
from ingest.formats.json_names import MAPPABLE

Role = Literal["edge", "internal"]


class FileSource(BaseModel):
    """Log files that share service, environment, role, lateness and format.

    `paths` are paths, globs, or "-" for standard input. `format` is "auto" or a name of FORMATS.
    `lateness` bounds how far lines may be out of order. `mapping` says for a column of events
    which JSON field holds it ("client_ip" = "net.peer.addr"; dots go into objects).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[str, ...] = Field(min_length=1)
    format: str = "auto"
    service: str | None = None
    environment: str | None = None
    role: Role = "edge"
    lateness: Duration = timedelta(seconds=5)
    mapping: dict[str, str] = Field(default_factory=dict)

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        known = ["auto", *FORMATS]
        if name not in known:
            raise ValueError(f"unknown format {name!r}{_suggestion(name, known)}")
        return name

    @field_validator("mapping")
    @classmethod
    def _known_columns(cls, mapping: dict[str, str]) -> dict[str, str]:
        for column, name in mapping.items():
            if column not in MAPPABLE:
                raise ValueError(
                    f"no column {column!r} of events can be mapped"
                    f"{_suggestion(column, sorted(MAPPABLE))}"
                )
            if not name or any(not part for part in name.split(".")):
                raise ValueError(f"the field name {name!r} for {column!r} has an empty component")
        return mapping

    @model_validator(mode="after")
    def _mapping_needs_json(self) -> Self:
        if self.mapping and self.format not in ("auto", "json"):
            raise ValueError(f"a mapping needs format 'json', not {self.format!r}")
        return self


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (known: {', '.join(known)})"
