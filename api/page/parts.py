"""The modules of the page whose routes the application takes."""

from typing import Final

from api.page import incident, incidents, login, static_files

PARTS: Final = (login, static_files, incidents, incident)
