"""Clients that are unlike the others, by a forest that a command trains from a history.

sums         what each client did within half an hour: integers and sets of bits
panes        half hours that are open, and those of the last six hours
features     what is told of a client's last six hours
forest       a trained forest as arrays
model        the forest, its limit and its file
training     trains it
settings     what people may set about it
family       the detector
"""

from detectors.learned.clients.family import DETECTORS, ClientOutliers
from detectors.learned.clients.model import ClientModel, ModelError
from detectors.learned.clients.settings import ClientSettings

__all__ = [
    "DETECTORS",
    "ClientModel",
    "ClientOutliers",
    "ClientSettings",
    "ModelError",
]
