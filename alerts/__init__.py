"""Findings in, incidents and notifications out; the owner of the database.

database     opens it, migrates it, says what is wrong with it; its tables
incidents    which findings belong together, and what becomes of them (pure)
routing      who is told: routes, in their order, and what something is about
recovery     where the worker was, and which worker it is
quarantine   what could not be read, and what was not seen
traffic      requests, errors and durations; endpoints
storage      findings into incidents, timeline and outbox, in one transaction
lists        incidents and what belongs to them, found and shown
muting       nobody is told for a while, and why
messages     what a message says
transports   ways to receivers, and their twin in memory
sending      the outbox out: a thread a target
actions      what people do to incidents, by version
access       API keys, sessions of the page, the server's secret, the audit
blocking     addresses that others are asked to block
deletion     what is too old, and all that is kept about one entity
exports      incidents as JSON, as OCSF Detection Findings, as CSV without formulas

Imports go up this list only, and import-linter holds that.
"""
