"""The inventory: which endpoints answer, and whether they should.

entries      the detectors, as people read of them
settings     what people may set
sums         requests per route, role and pane of ten minutes: the heavy half
declared     what OpenAPI documents say of an endpoint
state        the frames that are kept
book         the endpoints, counted by day, and what changed of them
services     the services, for how long they are known
varying      whether a route that looks new is only another value
telling      how often something is told
samples      evidence for what may be told
family       all of it as a family: score, then learn
"""

from detectors.learned.inventory.book import EndpointDay
from detectors.learned.inventory.entries import DETECTORS
from detectors.learned.inventory.family import Inventory
from detectors.learned.inventory.settings import InventorySettings

__all__ = ["DETECTORS", "EndpointDay", "Inventory", "InventorySettings"]
