"""What was asked for: by minute and hour, and by endpoint.

counts     requests, errors and durations as rows
queries    the same as they are shown
endpoints  what answered, since when, and how much a day
"""
