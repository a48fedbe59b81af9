"""What a message about incidents says."""

from alerts.messages.about import Message, message_about

__all__ = ["Message", "message_about"]
