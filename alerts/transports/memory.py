"""The twin of the ways to targets: a receiver in memory, for tests and trials."""

from collections import deque
from collections.abc import Callable, Iterable

from alerts.messages import Message
from alerts.transports.outcome import Outcome


class MemoryTransport:
    """Keeps the messages that came, in their order, and answers as told; else takes them all.

    `answers` are given one after another. `during` is called while a message is on its way: what
    it raises comes out of `deliver`, as if the program ended there.
    """

    def __init__(
        self,
        answers: Iterable[Outcome] = (),
        *,
        always: Outcome | None = None,
        during: Callable[[Message], None] | None = None,
    ) -> None:
        self.messages: list[Message] = []
        self._answers = deque(answers)
        self._always = always or Outcome(delivered=True)
        self._during = during

    def deliver(self, message: Message) -> Outcome:
        """Keep the message and answer."""
        if self._during is not None:
            self._during(message)
        self.messages.append(message)
        return self._answers.popleft() if self._answers else self._always
