"""Detectors that are no Sigma rules, by name, with what the settings change about them."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from detectors.detector import Detector, active, signature_of
from detectors.findings import Level
from detectors.learned.clients import DETECTORS as CLIENTS
from detectors.learned.clients import ClientModel, ClientOutliers, ClientSettings
from detectors.learned.families import Families
from detectors.learned.family import Family
from detectors.learned.inventory import DETECTORS as INVENTORY
from detectors.learned.inventory import Inventory, InventorySettings
from detectors.learned.places import DETECTORS as PLACES
from detectors.learned.places import CountrySettings, Places
from detectors.learned.seen import DETECTORS as SEEN
from detectors.learned.seen import Seen, SeenSettings
from detectors.learned.sizes import DETECTORS as SIZES
from detectors.learned.sizes import Sizes, SizesSettings
from detectors.learned.spikes import DETECTORS as SPIKES
from detectors.learned.spikes import Spikes, SpikesSettings
from detectors.overrides import RuleOverride

SOURCE_SILENT: Final = Detector(
    name="source_silent",
    id="561e1354-1ffe-554f-ac77-58a06933ce31",
    title="A source fell silent",
    description=(
        "A log or partition that had events all the time has none any more: its writer, its"
        " shipper or its service has stopped, or somebody has switched logging off."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1562.006", "owasp.api8"),
    falsepositives=("A service that was taken out of use while its log stays",),
    unit="minutes without events",
    threshold=15,
    window=timedelta(0),
)

UNPARSED_LINES: Final = Detector(
    name="unparsed_lines",
    id="47b714a2-f9dc-5552-b82b-efe7f015eb62",
    title="Many lines cannot be read",
    description=(
        "A large share of a log's lines does not have the format that is expected: what they tell"
        " is not seen by any rule."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1562.006", "owasp.api8"),
    falsepositives=(
        "A log that other programs write to, and no `ignore` patterns for their lines",
    ),
    unit="lines that could not be read",
    threshold=100,
    window=timedelta(minutes=10),
)

CLOCK_SKEW: Final = Detector(
    name="clock_skew",
    id="6107007e-5483-597a-9809-a5a3aad8c0ac",
    title="Times of many lines cannot be right",
    description=(
        "A large share of a log's lines is more than a minute late, or far ahead of its neighbours:"
        " rules that count within a window cannot count them."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1070.006", "owasp.api8"),
    falsepositives=("A shipper that hands lines over in bundles of several minutes",),
    unit="lines late by more than a minute, or far ahead",
    threshold=100,
    window=timedelta(minutes=10),
)

MISSED_LINES: Final = Detector(
    name="missed_lines",
    id="7c3c4f7e-9d0b-5a3e-9a55-52a4e2d6b1c9",
    title="Lines were not seen",
    description=(
        "Lines of a log, or records of a topic, are gone before they were read, or may be: what"
        " happened meanwhile was not judged by any rule."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1070.002", "owasp.api8"),
    falsepositives=(
        "A log that is copied and truncated to rotate it, whose last lines were read in time",
    ),
    unit="seconds that were not wholly seen",
    threshold=1,
    window=timedelta(0),
)

#: Lines that `unparsed_lines` and `clock_skew` count must also be this share, in percent.
SHARE_PERCENT: Final = 20

#: Those that watch the sources themselves: `detectors.health`.
HEALTH: Final = (SOURCE_SILENT, UNPARSED_LINES, CLOCK_SKEW, MISSED_LINES)


class Registered(NamedTuple):
    """A family of learned detectors, and how it is made.

    `make` takes what is set about detectors (it passes over those of others), the family's own
    settings, which are the table `table` of the settings file, and of what else the program knows
    what it `needs`, by keyword, as far as it is there. Of each of these a function tells, as text,
    what of it decides findings. `make` raises DetectorSettingsError.
    """

    detectors: tuple[Detector, ...]
    make: Callable[..., Family]
    settings: type[BaseModel]
    table: str
    needs: Mapping[str, Callable[[Any], str]] = MappingProxyType({})


def _of_model(model: ClientModel | None) -> str:
    return "" if model is None else model.fingerprint


#: The families of `detectors.learned`, a line for each.
FAMILIES: Final[tuple[Registered, ...]] = (
    Registered(SEEN, Seen, SeenSettings, "seen", {"country_is_bundled": repr}),
    Registered(PLACES, Places, CountrySettings, "countries", {"country_is_bundled": repr}),
    Registered(INVENTORY, Inventory, InventorySettings, "inventory", {"documents": repr}),
    Registered(SIZES, Sizes, SizesSettings, "sizes"),
    Registered(SPIKES, Spikes, SpikesSettings, "spikes"),
    Registered(CLIENTS, ClientOutliers, ClientSettings, "clients", {"model": _of_model}),
)

DETECTORS: Final = (*HEALTH, *(entry for family in FAMILIES for entry in family.detectors))


def learned_families(
    overrides: Mapping[str, RuleOverride],
    tables: Mapping[str, BaseModel],
    known: Mapping[str, Any] | None = None,
) -> Families:
    """Return every family that has a detector that is switched on, in the registry's order.

    `tables` are the families' own settings by table; without one it has its defaults. `known` is
    what else the program knows that a family may need, by name. The signature tells all of it that
    decides findings. Raises DetectorSettingsError.
    """
    made: list[Family] = []
    digest = hashlib.sha256()
    for each in FAMILIES:
        settings = tables.get(each.table) or each.settings()
        given = {name: known[name] for name in each.needs if known and name in known}
        family = each.make(overrides, settings, **given)
        if family.detectors:
            made.append(family)
            needed = [(name, each.needs[name](value)) for name, value in given.items()]
            own = signature_of(family.detectors.values())
            digest.update(repr((own, settings.model_dump_json(), needed)).encode())
    return Families(made, digest.hexdigest()[:16] if made else "")


def active_detectors(overrides: Mapping[str, RuleOverride]) -> dict[str, Detector]:
    """Return the detectors that are switched on, as the settings want them.

    Settings of others are passed over. Raises DetectorSettingsError.
    """
    return active(DETECTORS, overrides)


def rule_overrides(overrides: Mapping[str, RuleOverride]) -> dict[str, RuleOverride]:
    """Return the settings that are of rules, not of the detectors here."""
    ours = {detector.name for detector in DETECTORS}
    return {name: given for name, given in overrides.items() if name not in ours}
