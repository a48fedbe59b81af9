"""Incidents and what belongs to them, found and shown.

queries     lists by cursor, and one incident with everything
filters     which incidents a list shows, and how it is sorted
cursors     where the next page begins
looking_up  lists that follow an index
page_rows   the rows of a page as one text, which the database writes
details     one incident with all that is kept about it
counted     what its findings counted over time, against their limits
related     incidents that have to do with one, and why
entities    what is known of one entity
feed        what happened to incidents, in order
decided     incidents with their findings, and what people decided about them
"""
