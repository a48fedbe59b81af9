"""Spikes: counts that are far from what their week and their last hours lead one to expect.

settings     what people may set
kinds        the detectors, and what each of them counts
sums         the heavy half: counts by entity and pane
tails        tail probabilities of the negative binomial distribution
seasons      the shape of a week, in people's hours
baselines    levels, variances and p-values of many series at once
table        entities with their baselines, pane after pane
telling      findings and what they say
usual        what is expected of one entity now, and the interval
state        the state as plain frames
family       the family of detectors
"""

from detectors.learned.spikes.family import Spikes
from detectors.learned.spikes.kinds import DETECTORS
from detectors.learned.spikes.settings import SpikesSettings

__all__ = ["DETECTORS", "Spikes", "SpikesSettings"]
