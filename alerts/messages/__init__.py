"""What a message about incidents says.

notices          what is to be told in one delivery, before it is words
rendering        a notice in words, as its target takes them, within its limits
message          a message, and what its channel takes
context          what templates may say
news             transitions in words
templates        our own (folder builtin), and files of users in a sandbox
escaping         hostile text for each channel
apprise_service  Apprise set up for one target
"""

from alerts.messages.message import Message
from alerts.messages.rendering import render, template_problem

__all__ = ["Message", "render", "template_problem"]
