"""Events in, findings out. No I/O but reading rule files, no clock, no SQL.

rules/       built-in rules, as Sigma files

Rules as written, and what becomes of them:
documents    files read and checked
placeholders lists that rules share
fields       Sigma's field names and our columns
conditions   Sigma conditions as Polars expressions
patterns     text patterns and regular expressions as Polars expressions
addresses    networks as Polars expressions
overrides    what settings change about a rule
rules        a rule as compiled
counting     what a rule counts: its series
sigma        rules compiled for the kernel
catalogue    the rules that are switched on, and their fingerprint

Which events match:
decoded      paths and queries as a service reads them
literals     what a regular expression cannot match without
screening    which rules can match which events at all
selecting    which events of a batch each part accepts

Counting and judging:
kernel       all rules over batches of events
gathering    batches joined to larger ones, where nobody waits
series       what is counted, for whom
panes        slots of event time, and windows made of them
arrays       columns of a batch as arrays
aggregate    the heavy half: matches summed into panes
table        the sums of one window
state        the sums of all windows
evaluate     the light half: windows of panes against limits
sequences    rules that match one after the other
members      which clients took part
naming       what entities are called
exhibits     evidence kept for suspects
reported     violating panes as findings
counts       what rules counted of a log, for any limit
snapshot     state as plain bytes

Saying why:
wording      why a condition does not hold for an event, in words
single       one event as all rules see it
probe        what rules have counted for one entity
needs        which columns of events each detector cannot do without

Detectors that are no rules:
detector     what people read about one, and may set
registry     their names, limits and settings
health       silent sources, lines that nobody can read, wrong times
silence      how long one source has been silent
missed       lines that were gone before they were read
shares       bad lines of one source within a window

learned/     what is usual, and what is not: families of detectors that learn

traffic/     requests, errors, bytes and durations by minute and hour, judged by nobody

detection    all detectors as one, and the traffic
curves       what was counted over time, as few points
findings     what is found, and how findings grow together
"""
