"""Where users, API keys and the clients of services are: impossible travel, countries.

settings     [countries]: which are blocked, which expected
outlines     where countries are, and how far apart
coordinates  how far apart addresses with coordinates are
arrivals     the heavy half: who came from where in each minute, and which countries were answered
travel       users and keys that are faster than anybody travels
habits       what of it is usual: who is always in many places, which networks others leap to
services     blocked, unexpected and new countries of services
journeys     leaps in words
catalogue    what people read about the detectors
family       the family of detectors
"""

from detectors.learned.places.catalogue import DETECTORS
from detectors.learned.places.family import Places
from detectors.learned.places.settings import CountrySettings

__all__ = ["DETECTORS", "CountrySettings", "Places"]
