"""What people ask to be changed, as bodies of requests."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alerts.incidents.decisions import (
    ASSIGNEE_LENGTH,
    COMMENT_LENGTH,
    KEEP,
    LABEL_LENGTH,
    LABELS,
    Change,
)
from alerts.incidents.lifecycle import Resolution, Status

_Label = Annotated[str, Field(min_length=1, max_length=LABEL_LENGTH)]


class IncidentChange(BaseModel):
    """What is not given stays. `assignee` null hands it back; `resolution` goes with an ending."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"status": "acknowledged", "assignee": "mia"},
                {"status": "closed", "resolution": "false_positive", "add_labels": ["tuned"]},
            ]
        },
    )

    status: Status | None = None
    resolution: Resolution | None = None
    assignee: Annotated[str, Field(min_length=1, max_length=ASSIGNEE_LENGTH)] | None = None
    add_labels: list[_Label] = Field(default=[], max_length=LABELS)
    remove_labels: list[_Label] = Field(default=[], max_length=LABELS)
    comment: Annotated[str, Field(min_length=1, max_length=COMMENT_LENGTH)] | None = None

    def change(self) -> Change:
        """Return it as the actions take it."""
        return Change(
            status=self.status,
            resolution=self.resolution,
            assignee=self.assignee if "assignee" in self.model_fields_set else KEEP,
            add_labels=tuple(self.add_labels),
            remove_labels=tuple(self.remove_labels),
            comment=self.comment,
        )


class CommentBody(BaseModel):
    """What somebody writes about an incident."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "Blocked at the edge, watching."}]}
    )

    text: Annotated[str, Field(min_length=1, max_length=COMMENT_LENGTH)]
