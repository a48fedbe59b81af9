"""GET /api/v1/stream: what happens to incidents, as server-sent events.

Each event has a number; a browser that lost the line sends the last one it saw as Last-Event-ID,
and gets what it missed first. A stream ends after a while and begins anew, so that who may not
listen any more does not: keys and sessions are looked at again then.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, HTTPException
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from alerts.access.keys import Role
from alerts.lists.feed import News, news_after
from api.access import Call, RequireRole, refuse
from api.broadcast import CrowdedError, Listener
from api.description import API_PREFIX, answers

#: Seconds without news until a sign of life, and after which a stream ends.
BEAT: Final = 15.0
LENGTH: Final = 300.0

#: Milliseconds after which a browser comes back.
_BACK: Final = 1_000

#: News that one who was away gets at most; then the list is to be read anew.
_MISSED: Final = 500

#: Seconds after which one who found too many may try again.
_LATER: Final = "10"

router = APIRouter(prefix=API_PREFIX, tags=["incidents"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "incidents")]


async def _place(call: Viewer) -> AsyncIterator[tuple[Listener, int]]:
    """Let a caller listen until the answer is sent; raises 429 and 503 if too many do."""
    caller = f"{call.caller.kind}:{call.caller.id}"
    try:
        async with call.services.broadcast.listening(caller) as place:
            yield place
    except CrowdedError as error:
        status = 429 if error.by_caller else 503
        if error.by_caller:
            refuse(call.request, call.services, call.caller, status)
        raise HTTPException(status, f"{error}; try again", {"Retry-After": _LATER}) from error


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `incident`, `reset` (read the list anew) and `end` (come back)",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **answers(
            {
                429: "Too many requests, or more than 10 streams of the caller",
                503: "Too many listen",
            }
        ),
    },
)
async def stream(
    call: Viewer,
    place: Annotated[tuple[Listener, int], Depends(_place)],
    last_event_id: Annotated[str | None, Header(max_length=32, pattern=r"^[0-9]{1,18}$")] = None,
) -> StreamingResponse:
    """Send what happens to incidents from now on, or from Last-Event-ID on."""
    since = None if last_event_id is None else int(last_event_id)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingResponse(_events(place, call, since), 200, headers, "text/event-stream")


async def _events(place: tuple[Listener, int], call: Call, since: int | None) -> AsyncIterator[str]:
    until = asyncio.get_running_loop().time() + LENGTH
    queue, begins = place
    yield f"retry: {_BACK}\n\n"
    if since is not None and since < begins:
        missed = await run_in_threadpool(news_after, call.engine, since, _MISSED)
        if len(missed) == _MISSED:
            yield _event("reset", begins, {})
        else:
            for news in missed:
                if news.id <= begins:
                    yield _told(news)
    async for text in _live(queue, until):
        yield text


async def _live(queue: Listener, until: float) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop()
    while (left := until - clock.time()) > 0:
        try:
            news = await asyncio.wait_for(queue.get(), min(BEAT, left))
        except TimeoutError:
            yield ": still here\n\n"
            continue
        if news is None:
            break
        yield _told(news)
    yield "event: end\ndata: {}\n\n"


def _told(news: News) -> str:
    return _event("incident", news.id, news.to_dict())


def _event(name: str, number: int, data: object) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
