"""What could not be read, and what was not seen at all.

groups  lists, details and expiry of what was set aside
rows    groups into rows, within the store's transaction
gaps    when nothing was seen of a source, and why
"""
