"""The modules of the page whose routes the application takes."""

from typing import Final

from api.page import (
    counts,
    entity,
    incident,
    incidents,
    login,
    silences,
    static_files,
    traffic,
)

PARTS: Final = (login, static_files, incidents, incident, counts, entity, traffic, silences)
