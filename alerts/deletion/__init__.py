"""What is deleted: for its age, or because somebody asks for it.

retention   what is older than settings say
incidents   incidents with all their rows
erasure     all that is kept about one entity
unlearning  what detectors have learned about it
"""
