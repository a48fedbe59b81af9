"""The outbox out: each target by itself, with retries, at least once.

sender      a thread a target
lane        sending to one target, in order
survey      what it is to be told now
bundles     which notifications go together, and when (pure)
deliveries  messages as rows, and the order in which they are written
retries     what follows from an attempt
timers      reminders and escalation, by the clock
endings     who ended incidents, and what they wrote with it
failing     the incident about alerts that do not arrive
departed    what is left of targets that are no longer in the settings
endpoint    where messages go over the network, without what is secret
backlog     what waits, was given up, is open: numbers
history     what was sent when, what not, and why; dead messages again
"""
