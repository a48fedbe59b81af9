"""What other settings would have made of a log: incidents gained, lost and changed.

A log is normalised once and kept, masked, as Parquet. Rules are counted once, with limits lower
than those that are asked about, and what was counted is kept beside it (`detectors.counts`).

- `contents`: files by what they hold
- `cache`: the folder of what is kept, and what leaves it first
- `stored_log`: one log in it: events, readings, counts
- `columns`: which columns rules look at, for what masking has changed
- `counting`: batches in, counts out
- `judging`: what settings find in a log, from what is kept and what must be counted anew
- `incidents`: findings into incidents, as the store does it
- `labels`: what is known to be an attack or harmless, from a truth file or from people
- `comparing`: two sides held against each other
- `sweeping`: one rule with many limits
- `tables`, `markdown`, `page`, `pictures`: the same to look at
"""
