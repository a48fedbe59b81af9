"""One client against a route's own distribution: sizes of answers, numbers of objects.

entries      the detectors, as people read of them
settings     what people may set
sums         sizes by route, large answers and objects by client: the heavy half
usual        what is usual of a route, learned by whole days
family       all of it as a family: score, then learn
"""

from detectors.learned.sizes.entries import DETECTORS
from detectors.learned.sizes.family import Sizes
from detectors.learned.sizes.settings import SizesSettings

__all__ = ["DETECTORS", "Sizes", "SizesSettings"]
