"""Traffic as it is: requests, errors, bytes and durations by minute and hour, with what was asked.

sums      the heavy half: what a batch adds
rows      what is stored: counts of a slot, and an hour's greatest routes and countries
counts    the light half: open slots, and what changed of them

Judges nothing. No clock, no I/O.
"""

from detectors.traffic.counts import Traffic
from detectors.traffic.rows import EVERY, OTHERS, TrafficSlot, TrafficTop

__all__ = ["EVERY", "OTHERS", "Traffic", "TrafficSlot", "TrafficTop"]
