"""Raw lines in, normalised events out; knows nothing of detectors.

sources      which logs to read, and what is known about them
logs         files and globs; the rotations of one log as one partition, oldest first
chunks       a log's bytes in blocks of whole lines: plain, gzip, standard input
lines        where lines begin; blank and too long ones
formats/     one small file a log format, and the detection of the format
request_lines, times, networks, routes   parts of a line, once for each distinct value
normalising  from lines to events (`events` has their columns)
effective    the time rules: late and wild records, ticks, watermarks
partitions   a partition while it is read
reader       whole logs once, merged by event time: LogReader
follow       logs that grow: LogFollower, over the `tails` of each log
normalised   events and rejects in order of lines, masked, to print
quarantine   what could not be read, in groups by `shapes`; `suggestions` of settings that may help
replay       quarantined lines read again from where they lie
masking      the one place that makes log text safe to keep or show; `evidence` builds on it
durations    "5s", "10m", "24h" in settings
"""
