"""Where the worker was when it stopped, and which worker it is.

checkpoint  input positions, watermark and detector state
parts       the detector state, in pieces that are written once
marks       positions of the last day, to read again from
baselines   copies of what detectors have learned
lease       one active worker, and the fence before every write
holder      who that is
"""
