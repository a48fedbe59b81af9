"""Findings in, incidents and notifications out; the owner of the database.

database     opens it, migrates it, says what is wrong with it; `backup` copies a file before
models       its tables
times        UTC times that every database keeps the same way
incidents    which findings belong together, and what they amount to (pure)
lifecycle    what becomes of an incident and of people's decisions as it grows and joins (pure)
decisions    what people may decide about it (pure); `actions` does it, by version
summary      the sentence that says what happened
views        an incident as the terminal, the API and messages show it
checkpoint   where the worker was: positions, watermark, detector state, the last in
             `checkpoint_parts`; `marks` are the positions of the last day
lease        one active worker: who `holder` is, and the fence before every write
store        findings into incidents, timeline and outbox, in one transaction
outbox       the rows that say what to tell whom; `backlog` counts what waits
quarantine   what could not be read: lists, details, expiry; `quarantine_rows` writes it
queries      lists and details of incidents; `filters` and `cursors` say which and where to go on,
             `looking_up` by which index, `page_rows` as one text; `terms` is what they are looked
             up by
details      one incident with all that is kept about it
counted      what its findings counted over time, against their limits
story        an incident told in the order of the kill chain (pure)
related      incidents that have to do with one, and why
exports/     incidents as JSON, as OCSF Detection Findings, as CSV without formulas
matchers     which incidents something is about
routing      who is told: routes, in their order
silences     nobody is told for a while, because a person said so
maintenance  nor in hours known beforehand (pure)
inhibition   nor of what an open incident explains (pure)
muting       the three put together, for who sends
target       where messages go; `apprise_service` is Apprise set up for one, `endpoint` its host,
             without what is secret
messages     what a message says
sender       the outbox out: a thread a target, each a `lane`
survey       what a target is to be told now, by `judging` and `bundles` (pure)
deliveries   messages as rows, and the order in which they are written; `retries` what follows
timers       reminders and escalation, by the clock
failing      the incident about alerts that do not arrive
endings      who ended incidents, and what they wrote with it
departed     what is left of targets that are no longer in the settings
transports   ways to receivers, and their twin in memory
history      what was sent when, what not, and why; dead messages again
traffic      requests, errors and durations by minute and hour; `traffic_queries` reads them
retention    what is older than settings say is deleted; `deletion` deletes incidents whole
erasure      all that is kept about one entity is deleted; `mentions` finds its name in texts
tombstones   what is left of both: a replay does not bring them back
keys         API keys
secret       the server's secret
"""
