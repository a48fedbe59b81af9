"""Whether an incident that somebody is told of may be told now.

silences     nobody is told for a while, because a person said so
maintenance  nor in hours known beforehand (pure)
inhibition   nor of what an open incident explains (pure)
mutes        the three put together, for who sends
judging      what becomes of notifications that are due (pure)
"""
