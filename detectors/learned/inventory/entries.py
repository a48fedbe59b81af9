"""The detectors over the inventory, as people read of them."""

from datetime import timedelta
from typing import Final

from detectors.detector import Detector
from detectors.findings import Level

#: The slot of event time that is judged when it is over.
PANE: Final = timedelta(minutes=10)

SHADOW: Final = Detector(
    name="shadow_endpoint",
    id="0c2d1a4e-8b0f-5b5e-9a41-6f1f6d0b7a11",
    title="An endpoint that no OpenAPI document declares answers",
    description=(
        "Your OpenAPI documents do not have a path that a service answers: it was forgotten, left"
        " over, or never meant to be reached, and nobody looks after its checks."
    ),
    level=Level.MEDIUM,
    tags=("attack.initial-access", "attack.t1190", "owasp.api9"),
    falsepositives=(
        "Pages beside the API that the document leaves out on purpose",
        "A release that was published before its document",
    ),
    unit="answered requests to an undeclared endpoint",
    threshold=1,
    window=PANE,
    entity_type="route",
)

ZOMBIE: Final = Detector(
    name="zombie_endpoint",
    id="5e0b9b0c-2f0e-5a7e-8a52-54c3c1a3b5d2",
    title="A deprecated operation is still used",
    description=(
        "An operation that your OpenAPI documents call deprecated is still answered and used: old"
        " code with old checks stays open for as long as somebody needs it."
    ),
    level=Level.LOW,
    tags=("attack.initial-access", "attack.t1190", "owasp.api9"),
    falsepositives=("A deprecated operation whose callers were given time, and are using it",),
    unit="answered requests to a deprecated operation",
    threshold=1,
    window=PANE,
    entity_type="route",
)

UNDECLARED_METHOD: Final = Detector(
    name="undeclared_method",
    id="9d4f7c38-64a6-5a0e-9d2b-1b5d8a3e7c93",
    title="A declared path answers an undeclared method",
    description=(
        "A service answers a method that your OpenAPI documents do not have for this path, such as"
        " DELETE where only GET is declared."
    ),
    level=Level.MEDIUM,
    tags=("attack.initial-access", "attack.t1190", "owasp.api9", "owasp.api5"),
    falsepositives=("A document that lags behind the service",),
    unit="answered requests with an undeclared method",
    threshold=1,
    window=PANE,
    entity_type="route",
)

NEW_ENDPOINT: Final = Detector(
    name="new_endpoint",
    id="3a8d6e50-7c91-5f6b-b0e4-8e2c4f9d1a74",
    title="A route that was never seen before answers",
    description=(
        "A service that has been watched for days answers a route for the first time: a release, or"
        " something that was put or opened there and should not be."
    ),
    level=Level.LOW,
    tags=("attack.persistence", "attack.t1505.003", "owasp.api9"),
    falsepositives=(
        "A release with new endpoints",
        "An endpoint that is used once a month",
    ),
    unit="answered requests to a route that is new",
    threshold=1,
    window=PANE,
    entity_type="route",
)

PLAIN_HTTP: Final = Detector(
    name="plain_http",
    id="b7f1e2c6-0d3a-5c48-9e6f-2a9c7d5b8e35",
    title="A service answers over plain HTTP",
    description=(
        "Requests without TLS are answered instead of being redirected: whoever is on the way reads"
        " along, and changes what they like. Only logs that have the scheme tell."
    ),
    level=Level.LOW,
    tags=("attack.credential-access", "attack.t1557", "owasp.api8"),
    falsepositives=(
        "A log that is written behind the proxy that ends TLS",
        "Checks by a load balancer inside the network",
    ),
    unit="requests answered over plain HTTP",
    threshold=10,
    window=PANE,
    entity_type="service",
)

DETECTORS: Final = (SHADOW, ZOMBIE, UNDECLARED_METHOD, NEW_ENDPOINT, PLAIN_HTTP)
