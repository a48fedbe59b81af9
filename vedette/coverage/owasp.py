"""The OWASP API Security Top 10 (2023): what of each risk logs show, and what they never do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vedette.coverage.sight import Sight, State


@dataclass(frozen=True, slots=True)
class Risk:
    """An item of the list; `unseen` is what of it cannot be seen in access logs at all."""

    tag: str
    name: str
    unseen: str


#: owasp.org/API-Security/editions/2023
RISKS: Final = (
    Risk(
        "owasp.api1",
        "Broken object level authorisation",
        "Whose an object is: one request for somebody else's looks like one for your own. What"
        " shows is who takes many.",
    ),
    Risk(
        "owasp.api2",
        "Broken authentication",
        "Whether a password or token was right, but for the status; whether tokens are weak, and"
        " what becomes of them in a client.",
    ),
    Risk(
        "owasp.api3",
        "Broken object property level authorisation",
        "Which fields a request sets and an answer has: bodies are not logged. What shows is how"
        " large answers are.",
    ),
    Risk(
        "owasp.api4",
        "Unrestricted resource consumption",
        "What a request costs inside (memory, queries, paid services behind it), and batches in one"
        " body, as GraphQL has them.",
    ),
    Risk(
        "owasp.api5",
        "Broken function level authorisation",
        "Whether who was let in to an administrator's function is one. What shows is who is refused"
        " there.",
    ),
    Risk(
        "owasp.api6",
        "Unrestricted access to sensitive business flows",
        "Whether a person or a program buys, and what: that is in bodies. What shows is how often.",
    ),
    Risk(
        "owasp.api7",
        "Server side request forgery",
        "Addresses in bodies, and the requests that the service then makes. What shows are"
        " addresses in paths and queries.",
    ),
    Risk(
        "owasp.api8",
        "Security misconfiguration",
        "Headers, TLS, CORS, permissions of storage. What shows is who looks for what is left open,"
        " and what answers.",
    ),
    Risk(
        "owasp.api9",
        "Improper inventory management",
        "Endpoints that nobody calls. What shows is every one that somebody does.",
    ),
    Risk(
        "owasp.api10",
        "Unsafe consumption of APIs",
        "All of it: requests that your services make to others are in no access log of yours.",
    ),
)

#: What none of the detectors can see, whatever the log format.
NEVER: Final = (
    "Bodies of requests and answers: injection in JSON, mass assignment, fields that leak.",
    "Traffic between services that no log has, other protocols, messages of an open WebSocket.",
    "What was right: access logs do not say whether who was let in should have been.",
    "Attacks on clients: phishing, scripts in pages, stolen devices.",
)


#: States, the best first.
_ORDER: Final[tuple[State, ...]] = ("working", "partly", "blind", "off")


@dataclass(frozen=True, slots=True)
class Covered:
    """A risk with the detectors for it, and the best state that one of them is in."""

    risk: Risk
    state: State
    detectors: tuple[Sight, ...]


def covered(found: Sequence[Sight]) -> list[Covered]:
    """Return the whole list against what detectors see; a risk without a detector is blind."""
    rows = []
    for risk in RISKS:
        mine = tuple(each for each in found if risk.tag in each.tags)
        states = {each.state for each in mine}
        best = next((state for state in _ORDER if state in states), _ORDER[2])
        rows.append(Covered(risk, best, mine))
    return rows
