"""Pages that are made of the program itself.

settings    every setting, from the models that check them
commands    every command, argument and option, from typer
detectors   every detector, from rules and registry
runbooks    the overview of runbooks, and what stands at the top of each of them
formats     every log format, with a line of it, from the catalogue
routes      every route of the API, from its OpenAPI document
decisions   the overview of decisions, from their headings
tables      Markdown tables
"""

from docs.website.navigation import Navigation
from docs.website.reference.commands import commands_page
from docs.website.reference.decisions import decisions_page
from docs.website.reference.detectors import detectors_page
from docs.website.reference.formats import formats_page
from docs.website.reference.routes import routes_page
from docs.website.reference.runbooks import runbooks_page
from docs.website.reference.settings import settings_page


def made_pages(navigation: Navigation) -> dict[str, str]:
    """Return the texts of all pages that are made, by their names in the navigation."""
    return {
        "reference/settings": settings_page(),
        "reference/commands": commands_page(),
        "reference/detectors": detectors_page(),
        "reference/formats": formats_page(),
        "reference/routes": routes_page(),
        "runbooks/overview": runbooks_page(),
        "decisions/overview": decisions_page(navigation.children("decisions/overview")),
    }
