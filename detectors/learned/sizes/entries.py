"""The detectors of one client against a route's own distribution, as people read of them."""

from datetime import timedelta
from typing import Final

from detectors.detector import Detector
from detectors.findings import Level

#: The slot of event time that is judged when it is over.
PANE: Final = timedelta(minutes=10)

SIZES: Final = Detector(
    name="response_size_outlier",
    id="4b7d2f90-1c3e-5d68-a7f5-6e0c8b9a2d14",
    title="A client gets far more from a route than the route usually gives",
    description=(
        "One client gets answers from a route, again and again, that are far larger than nearly"
        " all answers of that route in the days before: it has found how to ask for everything."
    ),
    level=Level.MEDIUM,
    tags=("attack.exfiltration", "attack.t1213", "owasp.api3", "owasp.api4"),
    falsepositives=("A customer who has grown far beyond the others", "A first, full export"),
    unit="answers far above the route's own size",
    threshold=5,
    window=PANE,
    entity_type="client",
)

OBJECTS: Final = Detector(
    name="object_count_outlier",
    id="d2a6c8e1-7f40-5b93-8e1d-3c5b7a9f0e26",
    title="A known caller gets far more objects of a route than callers usually do",
    description=(
        "One client, with a user or an API key, gets far more different objects of one route in ten"
        " minutes than nearly all callers of that route did in the days before: it may be reading"
        " what belongs to others."
    ),
    level=Level.MEDIUM,
    tags=("attack.collection", "attack.t1213", "owasp.api1"),
    falsepositives=(
        "Somebody who works off a backlog by hand",
        "An office behind one address that grew",
    ),
    unit="distinct objects of one route",
    threshold=15,
    window=PANE,
    entity_type="client",
)

DETECTORS: Final = (SIZES, OBJECTS)
