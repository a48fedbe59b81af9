"""The rules of a run: built-in and the user's, as the settings change them."""

from collections.abc import Mapping
from typing import Final

from alerts.sending.failing import DETECTOR as ALERTS_FAILING
from detectors.catalogue import Catalogue, load_catalogue
from detectors.naming import name_of
from detectors.overrides import RuleOverride
from detectors.registry import DETECTORS, rule_overrides
from detectors.rules import Tier
from vedette.settings import Settings, TierSettings

#: Rules that count countries: too coarse for the labels that come with Vedette.
OF_COUNTRIES: Final = ("user_many_countries", "api_key_many_countries")


def catalogue_of(
    settings: Settings, overrides: Mapping[str, RuleOverride] | None = None
) -> Catalogue:
    """Return the catalogue that the settings ask for, or would ask for with other `overrides`.

    Rules of countries are in monitor mode where these are bundled labels, unless `mode` is set.
    Raises what load_catalogue raises.
    """
    changed = dict(settings.detectors if overrides is None else overrides)
    if not settings.countries.given(bundled=settings.geo.country_is_bundled).reliable:
        changed |= {name: _monitored(changed.get(name, RuleOverride())) for name in OF_COUNTRIES}
    return load_catalogue(
        rule_overrides(changed),
        settings.rules.folders,
        placeholders=settings.rules.placeholders,
        tiers=[_tier(name, tier) for name, tier in settings.tiers.items()],
    )


def detector_names(settings: Settings, catalogue: Catalogue) -> frozenset[str]:
    """Return the names that an incident's detectors can have, those switched off included."""
    named = (rule.name for rule in catalogue.rules)
    others = (detector.name for detector in DETECTORS)
    return frozenset([*named, *others, *settings.detectors, ALERTS_FAILING])


def _monitored(override: RuleOverride) -> RuleOverride:
    if "mode" in override.model_fields_set:
        return override
    return override.model_copy(update={"mode": "monitor"})


def _tier(name: str, written: TierSettings) -> Tier:
    return Tier(
        name,
        written.times,
        frozenset(
            [
                *(("client", client) for client in written.clients),
                *(("user", name_of("user", user)) for user in written.users),
                *(("api_key", key) for key in written.api_keys),
            ]
        ),
        written.networks,
    )
