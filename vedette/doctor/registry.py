"""The checks, in the order in which they are shown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from vedette.doctor.brokers import check_brokers, check_retention
from vedette.doctor.clock import check_clock
from vedette.doctor.configuration import check_settings
from vedette.doctor.database import check_database, check_integrity
from vedette.doctor.disk import check_disk
from vedette.doctor.geo import check_geo
from vedette.doctor.issuer import check_issuer
from vedette.doctor.logs import check_logs
from vedette.doctor.remark import Remark
from vedette.doctor.rules import check_rules
from vedette.doctor.secret import check_secret
from vedette.doctor.server import check_api
from vedette.doctor.stored import check_gaps, check_lease, check_messages, check_quarantine
from vedette.doctor.surroundings import Surroundings
from vedette.doctor.targets import check_targets


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `look` changes nothing, and may raise or take long."""

    name: str
    look: Callable[[Surroundings], Iterable[Remark]]


#: The name of the check that fails if the settings cannot be read.
SETTINGS: Final = "settings"

CHECKS: Final = (
    Check(SETTINGS, check_settings),
    Check("rules", check_rules),
    Check("secret", check_secret),
    Check("disk", check_disk),
    Check("clock", check_clock),
    Check("database", check_database),
    Check("integrity", check_integrity),
    Check("logs", check_logs),
    Check("brokers", check_brokers),
    Check("retention", check_retention),
    Check("geo", check_geo),
    Check("targets", check_targets),
    Check("api", check_api),
    Check("issuer", check_issuer),
    Check("lease", check_lease),
    Check("gaps", check_gaps),
    Check("quarantine", check_quarantine),
    Check("messages", check_messages),
)
