"""What limits and models make of a log; results are pandas frames and figures, for notebooks.

- `labelled`: a log in memory with what is known about it: one's own, or a simulated one
- `sweeps`: what each detector finds, how near others come, what other limits would find
- `pictures`: the same drawn
- `expectations`, `expectation_pictures`: what is expected of routes, and what budgets find
- `exploring`, `log_pictures`: what is in a log, what detectors see and find, and why; drawn
- `own_rules`: rules of one's own, checked, tested and held against a log
- `api_frames`: the incident API as frames, and a service to ask
- `clients`, `client_pictures`: how odd clients are for the client model, and what it would tell

pandas and matplotlib are imported when they are used.
"""

from vedette.tuning.labelled import LabelledLog, read_log, simulated_log
from vedette.tuning.pictures import draw_peaks, draw_sweep
from vedette.tuning.sweeps import (
    compare,
    limit_of,
    limits_around,
    overview,
    peaks,
    settings_lines,
    suggest,
    sweep,
)

__all__ = [
    "LabelledLog",
    "compare",
    "draw_peaks",
    "draw_sweep",
    "limit_of",
    "limits_around",
    "overview",
    "peaks",
    "read_log",
    "settings_lines",
    "simulated_log",
    "suggest",
    "sweep",
]
