"""The database: opened, migrated, its faults in words; its tables.

opening     opens it, and lets one write after the other
backup      a copy of a file before it is migrated
models      the tables; the migrations lie in alerts/migrations
statements  what statements over many rows share
times       UTC times that every database keeps the same way
safety      text from logs made safe to store
"""
