"""/silences: of what nobody is told for now, and who was told of what."""

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, Response

from alerts.muting.silences import Silence, list_silences
from alerts.sending.history import State, history
from api.access import Call
from api.page.access import PageViewer, is_fragment
from api.page.faults import PageRoute
from api.page.rendering import render

router = APIRouter(include_in_schema=False, route_class=PageRoute)

#: Messages and ended silences that are shown.
_MESSAGES: Final = 50
_ENDED: Final = 50

_STATES: Final = {
    "": "any",
    "sent": "sent",
    "trying": "being tried",
    "dead": "given up",
    "waiting": "waiting",
    "suppressed": "suppressed",
    "rolled_up": "part of another",
}


@router.get("/silences")
def silences(call: Annotated[Call, Depends(PageViewer("silences"))], state: str = "") -> Response:
    """Show silences, and what was sent when."""
    now = call.now()
    # Asked for apart: of all, only the newest are listed, and what is in force may be old.
    active = list_silences(call.engine, now)
    every = list_silences(call.engine, now, expired=True)
    deliveries = call.caller.may("deliveries")
    wanted: State | None = next((each for each in get_args(State) if each == state), None)
    return render(
        call,
        "_silences.html" if is_fragment(call.request) else "silences.html",
        now=now,
        active=active,
        ended=[each for each in every if each.state(now) == "expired"][:_ENDED],
        told=_told,
        state=wanted or "",
        states=_STATES,
        entries=history(call.engine, state=wanted, limit=_MESSAGES) if deliveries else None,
        detectors=sorted(each.name for each in call.services.detectors()),
    )


def _told(silence: Silence) -> list[tuple[str, str]]:
    """Return what a silence is about: name and patterns."""
    written = silence.matchers.written()
    if not written:
        return [("everything", "")]
    return [
        (name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
        for name, value in written.items()
    ]
