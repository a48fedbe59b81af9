"""What people read about the detectors of places."""

from datetime import timedelta
from typing import Final

from detectors.detector import Detector
from detectors.findings import Level
from detectors.learned.places.services import BLOCKED, NEW, UNEXPECTED

_HOUR: Final = timedelta(hours=1)
_TAGS: Final = ("attack.credential-access", "attack.t1078", "attack.t1539", "owasp.api2")
_SERVICE_TAGS: Final = ("attack.initial-access", "attack.t1078", "attack.t1190", "owasp.api8")
_UNIT: Final = "km/h at least"
_REQUESTS: Final = "accepted requests"

USER_TRAVEL: Final = Detector(
    name="user_impossible_travel",
    id="f2c7a5b1-6c0d-5c0f-9d3c-5c1f7c0a9b33",
    title="A user faster than anybody travels",
    description=(
        "Accepted requests of one user come from two countries, or coordinates of cities, that are"
        " so far apart that nobody could have travelled in between: somebody else may have the"
        " session or the password."
    ),
    level=Level.MEDIUM,
    tags=_TAGS,
    falsepositives=(
        "Somebody abroad whose telephone goes through its home network",
        "The first days of a VPN that no geo data know",
    ),
    unit=_UNIT,
    threshold=1_000,
    window=_HOUR,
    entity_type="user",
)

API_KEY_TRAVEL: Final = Detector(
    name="api_key_impossible_travel",
    id="9a0d1be2-2a55-5f8e-b1c4-6a7d2e8f4c44",
    title="An API key faster than anybody travels",
    description=(
        "Accepted requests with one API key come from two countries, or coordinates of cities, that"
        " are far apart within minutes, which that key did not do before: somebody else may have"
        " it."
    ),
    level=Level.MEDIUM,
    tags=("attack.credential-access", "attack.t1078", "attack.t1552", "owasp.api2"),
    falsepositives=("A program that begins to run in a second region",),
    unit=_UNIT,
    threshold=1_000,
    window=_HOUR,
    entity_type="api_key",
)

BLOCKED_COUNTRY: Final = Detector(
    name=BLOCKED,
    id="3c9e7f10-8d42-5b66-a9f0-7e1b5d2c6d55",
    title="A blocked country was answered",
    description=(
        "A service answered requests from a country that the settings call blocked: what should"
        " keep such requests away does not."
    ),
    level=Level.HIGH,
    tags=_SERVICE_TAGS,
    falsepositives=("A block that is meant for some paths only",),
    unit=_REQUESTS,
    threshold=1,
    window=_HOUR,
    entity_type="service",
)

UNEXPECTED_COUNTRY: Final = Detector(
    name=UNEXPECTED,
    id="b7d4c0a3-1f6e-5d97-8e25-2c9a0f3b7e66",
    title="An unexpected country was answered",
    description="A service answered requests from a country that is not among those expected.",
    level=Level.LOW,
    tags=_SERVICE_TAGS,
    falsepositives=("Customers who travel",),
    unit=_REQUESTS,
    threshold=20,
    window=_HOUR,
    entity_type="service",
)

SERVICE_NEW_COUNTRY: Final = Detector(
    name=NEW,
    id="e85f2b94-5a3b-5c18-96d7-4f0c8b1a2f77",
    title="A service is used from a new country",
    description=(
        "A service whose countries are known answered requests from a country that none came from"
        " before."
    ),
    level=Level.LOW,
    tags=_SERVICE_TAGS,
    falsepositives=("A new market, a new office, a newspaper that wrote about you",),
    unit=_REQUESTS,
    threshold=20,
    window=_HOUR,
    entity_type="service",
)

DETECTORS: Final = (
    USER_TRAVEL,
    API_KEY_TRAVEL,
    BLOCKED_COUNTRY,
    UNEXPECTED_COUNTRY,
    SERVICE_NEW_COUNTRY,
)
TRAVEL: Final = (USER_TRAVEL.name, API_KEY_TRAVEL.name)
