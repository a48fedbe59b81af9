"""Raw lines in, normalised events out; knows nothing of detectors.

sources      which logs and topics to read, and what is known about them

Files
logs         files, folders and globs; `rotations` of one log are one partition, oldest first
chunks       a log's bytes in blocks of whole lines: plain, `packed`, standard input
reader       whole logs once, merged by event time: LogReader
follow       logs that grow: LogFollower, over the `tails` of each log, which know files by their
             `identity`, `opened` ones and the `places` they had, by `watching` and with `troubles`

Topics
topics/      Kafka: TopicFollower
live         files and topics followed as one stream
gaps         what was not read and can no longer be, and from when to when

From lines to events
records      raw lines and the position of each; `lines` finds where they begin
parts        long lines that container runtimes cut, joined
wrappers/    syslog, containers, shippers' envelopes: taken off
formats/     one small file a log format, and the detection of the format
request_lines, times   parts of a line; `uniform_times`, all written alike, at once
clients      who asked: the peer, or whom trusted proxies name (`forwarding`, `networks`)
geo          where addresses are (`mmdb`, `address_ranges`)
routes       path templates: `declared_paths` of `route_documents`, patterns, or `route_learning`
yaml_limits  how much a document of the user's may hold
pseudonyms   keyed hashes for API keys, users, clients
enrichment   these four, shared by all sources; `distinct` works each value out once
normalising  all of this in order (`events` has the columns)
effective    the time rules: late and wild records, ticks, watermarks
readings     how partitions fare: sums of what became of their lines
partitions   a partition while it is read, and the tally of its lines
normalised   events and rejects in order of lines, masked, to print

What is kept
quarantine   what could not be read, in groups by `shapes` (`quarantine_group`), with
             `suggestions` of settings that may help (`suggested_mapping`, `suggested_pattern`)
replay       quarantined lines read again from where they lie
masking      the one place that makes log text safe to keep or show; `masked_lines` for whole lines,
             `evidence` of incidents
durations    "5s", "10m", "24h" in settings
"""
