"""Inhibition: an incident that is open mutes others that only say the same less well."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Literal

from alerts.routing.matchers import Matchers
from detectors.findings import Level

if TYPE_CHECKING:
    from alerts.incidents.views import IncidentView

#: In what a source and what it mutes may have to agree.
EqualField = Literal["entity", "network", "service"]

#: Statuses of incidents that mute others.
OPEN: Final = ("open", "acknowledged")

#: After this long a muted incident is judged again.
AGAIN_AFTER: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """Incidents that `source` is about mute those that `target` is about.

    Both must agree in the fields of `equal`; what neither has agrees in nothing. With `severer`
    also incidents that are more severe than their source are muted.
    """

    name: str
    source: Matchers
    target: Matchers
    equal: tuple[EqualField, ...] = ()
    severer: bool = False

    def mutes(self, source: "IncidentView", incident: "IncidentView") -> bool:
        """Whether the source mutes the incident.

        None mutes itself; and of incidents that are both source and target of this rule none
        mutes another, or two of them would silence each other for good.
        """
        return (
            source.id != incident.id
            and source.status in OPEN
            and source.merged_into is None
            and (self.severer or level_of(source) >= level_of(incident))
            and self.target.matches(incident)
            and self.source.matches(source)
            and not (self.target.matches(source) and self.source.matches(incident))
            and all(_agree(name, source, incident) for name in self.equal)
        )


class Inhibition:
    """All rules of inhibition."""

    def __init__(self, rules: Sequence[InhibitRule] = ()) -> None:
        self.rules = tuple(rules)

    def concerns(self, incident: "IncidentView") -> bool:
        """Whether some rule could mute the incident, had it a source."""
        return any(rule.target.matches(incident) for rule in self.rules)

    def inhibitor(
        self, incident: "IncidentView", sources: Iterable["IncidentView"]
    ) -> "tuple[InhibitRule, IncidentView] | None":
        """Return the first rule by which one of the sources mutes the incident, and that source."""
        known = list(sources)
        return next(
            (
                (rule, source)
                for rule in self.rules
                for source in known
                if rule.mutes(source, incident)
            ),
            None,
        )


def level_of(incident: "IncidentView") -> Level:
    """Return an incident's severity."""
    return Level[incident.severity.upper()]


def _agree(name: EqualField, source: "IncidentView", incident: "IncidentView") -> bool:
    if name == "entity":
        same = (source.entity_type, source.entity) == (incident.entity_type, incident.entity)
        return same or (incident.entity_type == "client" and incident.entity in source.members)
    if name == "network":
        network = network_of(source)
        return network is not None and network == network_of(incident)
    return not set(source.services).isdisjoint(incident.services)


def network_of(incident: "IncidentView") -> IPv4Network | IPv6Network | None:
    """Return the /24 or /64 that an incident is about: its client's, or itself."""
    try:
        if incident.entity_type == "network":
            return ip_network(incident.entity)
        if incident.entity_type == "client":
            address = ip_address(incident.entity)
            return ip_network((address, 24 if address.version == 4 else 64), strict=False)  # noqa: PLR2004
    except ValueError:
        return None
    return None
