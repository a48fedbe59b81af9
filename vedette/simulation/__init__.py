"""Simulated API traffic with known attacks, to try the program, to test it and to measure it.

A run is ordinary traffic of a shop with nine services, and scenarios mixed into it: attacks of
fixed strength, and near-misses that must raise nothing. The same seed gives the same bytes.

- `services`, `actions`, `kinds`: what the shop serves and what callers do, declared as data
- `population`, `user_agents`, `parameters`: who calls, and with which values
- `arrivals`, `sessions`, `routes`, `traffic`: ordinary traffic, a million requests at once
- `scenarios` (and the folder of that name), `scripted`, `office`: attacks and near-misses
- `simulation`: a run; `truth`: what is true about it
- `render`, `write`: log lines and files; `demo`: a log that grows as if the shop were live
- `draws`, `events`: random streams, and the columns of simulated events
"""

from vedette.simulation.scenarios import Scenario, all_scenarios
from vedette.simulation.simulation import Simulation, simulate
from vedette.simulation.truth import Truth, read_truth
from vedette.simulation.write import lines, write

__all__ = [
    "Scenario",
    "Simulation",
    "Truth",
    "all_scenarios",
    "lines",
    "read_truth",
    "simulate",
    "write",
]
