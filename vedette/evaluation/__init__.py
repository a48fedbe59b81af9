"""How well detectors do on a log of which the truth is known.

- `episodes`: what is true: who did what from when to when; reads truth files
- `trial`: puts batches through the detectors and keeps what they find
- `matching`: holds incidents and findings against the episodes; pure
- `report`: recall, precision, time to detect, incidents and false alarms a day
- `tables`, `picture`: the report for a terminal, and as a PNG
"""
