"""What is to be told in one delivery, before it is words."""

from dataclasses import dataclass

from alerts.incidents.views import IncidentView


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended an incident, and the comment that they wrote with it."""

    by: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One incident as it is now, and the transitions that are told with it, oldest first.

    `ending` is there if a person ended it.
    """

    incident: IncidentView
    transitions: tuple[str, ...]
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One delivery to one target.

    `mark` tells a repeat from a second message. A digest names the gravest of its `incidents`
    only; else `items` are all. `link` is where the page is, without a slash at the end.
    `options` are what commands need to find this database, as " --config /etc/vedette.toml".
    """

    items: tuple[Item, ...]
    mark: str
    digest: bool = False
    incidents: int = 1
    link: str | None = None
    options: str = ""
