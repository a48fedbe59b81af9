"""Events in, findings out. No I/O but reading rule files, no clock, no SQL.

rules/       built-in rules, as Sigma files
documents    rules as written: files read and checked
sigma        rules compiled for the kernel
conditions   Sigma conditions as Polars expressions
fields       Sigma's field names and our columns
overrides    what settings change about a rule
catalogue    the rules that are switched on, and their fingerprint
rules        a rule as compiled
panes        slots of event time, and windows made of them
aggregate    the heavy half: matches summed into panes
evaluate     the light half: windows of panes against limits
table        the state of one rule
kernel       all rules over batches of events
exhibits     evidence kept for suspects
registry     detectors that are no rules
health       silent sources, lines that nobody can read, wrong times
silence      how long one source has been silent
shares       bad lines of one source within a window
findings     what is found, and how findings grow together
snapshot     state as plain bytes
"""
