"""Connections that end when their other side does nothing: they are few, and cost it nothing.

uvicorn ends only those that are silent after an answer. Here a request's head, its body and the
reading of an answer have their time, whatever trickles in meanwhile; streams that are read, and
requests that are being worked on, may take as long as they like.
"""

from asyncio import TimerHandle, Transport
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.limits import counted_as

#: Seconds that the head of a request may take, from the connection or from its first byte on.
HEAD_SECONDS: Final = 10

#: Seconds from a request's head to the end of its body.
BODY_SECONDS: Final = 30

#: Seconds in which the other side must read something of an answer that waits for it.
STUCK_SECONDS: Final = 30

#: Connections of one address, where addresses are those of clients.
ADDRESS_CAP: Final = 100


class PromptProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with people who are in a hurry."""

    #: Connections of one address; None behind a proxy, of which all come.
    address_cap: int | None = None

    _awaited: tuple[float, RequestResponseCycle | None] | None = None
    _late: TimerHandle | None = None
    _stuck: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin, unless the address has too many already."""
        super().connection_made(transport)
        if self._crowded():
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with whatever was waited for."""
        for timer in (self._late, self._stuck):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what came in, or what had to wait for the answer before it."""
        super().handle_events()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the other side to read, but not for ever."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Go on writing."""
        if self._stuck is not None:
            self._stuck.cancel()
        super().resume_writing()

    def _watch(self) -> None:
        """Set the time for what is to come in, unless it runs already."""
        awaited = self._awaits()
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._late is not None:
            self._late.cancel()
        if awaited is not None:
            self._late = self.loop.call_later(awaited[0], self._end)

    def _awaits(self) -> tuple[float, RequestResponseCycle | None] | None:
        """Return how long to wait for what is to come in, and after which request it comes."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            return BODY_SECONDS, self.cycle
        begun = self.cycle is None or bool(self.conn.trailing_data[0])
        return (HEAD_SECONDS, self.cycle) if state is h11.IDLE and begun else None

    def _end(self) -> None:
        if self._awaits() == self._awaited:
            self.transport.abort()

    def _expect_reading(self, before: int | None = None) -> None:
        waiting = self.transport.get_write_buffer_size()
        if before is not None and waiting >= before:
            self.transport.abort()
        else:
            self._stuck = self.loop.call_later(STUCK_SECONDS, self._expect_reading, waiting)

    def _crowded(self) -> bool:
        if self.address_cap is None or self.client is None:
            return False
        own = counted_as(self.client[0])
        others = (each.client for each in self.connections if isinstance(each, PromptProtocol))
        same = sum(1 for other in others if other is not None and counted_as(other[0]) == own)
        return same > self.address_cap


class DirectProtocol(PromptProtocol):
    """The same, for clients that come themselves: no address may have all connections."""

    address_cap = ADDRESS_CAP
