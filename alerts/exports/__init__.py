"""Incidents for other programs: files and streams that they read as they are.

complete   everything about an incident as JSON; one a line for many
ocsf       OCSF Detection Finding, for SIEMs and data lakes
csv_cells  a table for spreadsheets, in which no cell is a formula
written    any of them to a stream
"""
