"""Findings into incidents, timeline and outbox, in one transaction.

store       the order of all that is written, stated here only
nearby      what is stored near new findings
plan        what they mean for the incidents of one entity (pure)
writing     plans into rows
rows        rows to findings, evidence and contents, and back
members     the clients that a finding about something else has counted
terms       what lists look incidents up by
parents     roll-up: the parents of incidents about clients
outbox      the rows that say what to tell whom
telling     who is not told of what: an incident that is part of a greater one
tombstones  what is left of what was deleted: a replay does not bring it back
"""
