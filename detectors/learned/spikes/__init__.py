"""Spikes: counts that are far from what their week and their last hours lead one to expect.

settings     what people may set
kinds        the detectors, and what each of them counts
sums         the heavy half: counts by entity and pane
arrays       named arrays over entities, which all that follows keeps
seasons      the shape of a week, in people's hours
levels       how much more or less than their week the last hours had
spreads      how much more than chance counts vary
tails        tail probabilities of the negative binomial distribution
extremes     p-values, held against those that came before
scores       what is known of a pane, what must be exceeded, and what was
judging      which windows are beyond the limits
rings        the last panes
runs         what is out of the ordinary, until it is over or the new level
series       since when each series is known
baselines    all of these for the series of one pane length
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
