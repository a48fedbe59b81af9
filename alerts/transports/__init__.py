"""Ways to targets: messages out, outcomes in words without secrets back.

transport     what a way is, and which one a target's address asks for
outcome       what came of a delivery, and how a repeat is told from a second message
channel       through Apprise: mail, Slack, JSON, and whatever else it knows
alertmanager  incidents as alerts of an Alertmanager
answers       what an answer over HTTP means for a delivery
watching      what receivers answered, beside what Apprise tells of it
memory        the twin of all these, for tests and trials
"""

from alerts.transports.transport import Transport, transport_of

__all__ = ["Transport", "transport_of"]
