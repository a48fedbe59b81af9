"""What is new or rare for a user or an API key: country, network, user agent.

settings     what people may set
agents       what user agents are called, without versions
sightings    the heavy half: who was seen how, in each minute
memory       what is known of everybody, a day at a time
news         what was new lately, and when it is told how urgently
family       the family of detectors
"""

from detectors.learned.seen.family import DETECTORS, Seen
from detectors.learned.seen.settings import SeenSettings

__all__ = ["DETECTORS", "Seen", "SeenSettings"]
