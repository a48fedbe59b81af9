"""Simulated API traffic with known attacks, to try the program, to test it and to measure it.

A run is ordinary traffic of a shop with nine services, and scenarios mixed into it: attacks of
fixed strength, and near-misses that must raise nothing. The same seed gives the same bytes.

- `services`, `actions`, `kinds`: what the shop serves and what callers do, declared as data
- `population`, `user_agents`, `parameters`: who calls, and with which values
- `arrivals`, `sessions`, `routes`, `traffic`: ordinary traffic, a million requests at once
- `hours`: the same, half an hour after the other
- `scenarios` (and the folder of that name): attacks and near-misses as data, three strengths each
- `actors`, `scripted`, `words`, `office`, `faults`: who makes their requests, and which
- `happenings`: a scenario in a run; `simulation`: a run; `long_runs`: days and weeks
- `histories`, `regulars`: what needs days before it, and who comes on all of them
- `homelands`, `declarations`: countries of addresses; documents and settings of the owner
- `machines`: who has the same address every day
- `truth`: what is true about a run
- `render`, `write`: log lines and files; `batches`: events as detectors take them
- `demo`: a log that grows as if the shop were live
- `draws`, `events`: random streams, and the columns of simulated events
"""

from vedette.simulation.batches import batch_frame
from vedette.simulation.long_runs import LongRun, long_run
from vedette.simulation.scenarios import Scenario, all_scenarios
from vedette.simulation.simulation import Simulation, simulate
from vedette.simulation.truth import INTENSITIES, Intensity, Truth, read_truth
from vedette.simulation.write import lines, write

__all__ = [
    "INTENSITIES",
    "Intensity",
    "LongRun",
    "Scenario",
    "Simulation",
    "Truth",
    "all_scenarios",
    "batch_frame",
    "lines",
    "long_run",
    "read_truth",
    "simulate",
    "write",
]
