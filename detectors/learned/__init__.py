"""Detectors that learn what is usual, and say what is not. No clock, no I/O, no SQL.

family       what each family of them has in common
families     all families as one
expecting    what they expect of one entity, in words
needs        which columns of events they cannot do without
slots        rows summed by minutes, for families that watch single requests
seen         what is new or rare for a user or API key
places       impossible travel; blocked, unexpected and new countries

Every family has a module or package of its own here. Its two halves are those of the rule kernel:
sums of a batch that add up, then a judgement of panes that are closed. What is scored is scored
before it is learned. `detectors.registry` names them all.
"""
