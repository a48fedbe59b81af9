"""All detectors of a run, as the settings want them."""

from collections.abc import Mapping
from typing import Any

from detectors.catalogue import Catalogue
from detectors.detection import Detection
from detectors.learned.families import Families
from detectors.registry import FAMILIES, learned_families
from vedette.client_model import load_model
from vedette.settings import Settings
from vedette.sources import documents_of


def detection_of(settings: Settings, catalogue: Catalogue, *, prompt: bool = True) -> Detection:
    """Return the detectors that the settings ask for, with nothing counted or learned yet.

    With `prompt` rules report at once what no further event can undo. Raises
    DetectorSettingsError.
    """
    return Detection(catalogue, settings.detectors, families_of(settings), prompt=prompt)


def families_of(settings: Settings) -> Families:
    """Return the families of detectors that learn; raises DetectorSettingsError."""
    tables = {each.table: getattr(settings, each.table) for each in FAMILIES}
    return learned_families(settings.detectors, tables, _known(settings))


def _known(settings: Settings) -> Mapping[str, Any]:
    """Return what families may need beside settings and logs, by name."""
    return {
        "model": load_model(settings),
        "documents": documents_of(settings),
        "country_is_bundled": settings.geo.country_is_bundled,
    }
