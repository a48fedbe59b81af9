"""The detectors of spikes, and what each of them counts."""

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from detectors.detector import Detector
from detectors.findings import Level
from detectors.learned.spikes.scores import DOWN, UP

_IDS: Final = UUID("9a2a5d0e-6c1b-5d53-8a0c-2f5cf3c1d7aa")

#: What a series can count, by column: requests, then answers of some statuses, then slow and big
#: answers.
VOLUME, AUTH, MISSING, SERVER, THROTTLED, SLOW, BIG = range(7)
KINDS: Final = 7

#: Types of entities that share the accepted false alarms: all traffic, services, routes.
LEVELS: Final = 3

#: Findings closer than this are one: the longest window.
WINDOW: Final = timedelta(minutes=30)


class Watched(NamedTuple):
    """A detector, the column of what it counts, and which side of the expectation it watches."""

    detector: Detector
    kind: int
    side: int


def _detector(
    name: str,
    *,
    title: str,
    description: str,
    level: Level,
    tags: tuple[str, ...],
    falsepositive: str,
    unit: str,
    threshold: int,
) -> Detector:
    return Detector(
        name=name,
        id=str(uuid5(_IDS, name)),
        title=title,
        description=description,
        level=level,
        tags=tags,
        falsepositives=(falsepositive,),
        unit=unit,
        threshold=threshold,
        window=WINDOW,
        entity_type="service",
    )


WATCHED: Final = (
    Watched(
        _detector(
            "volume_spike",
            title="Far more requests than expected",
            description=(
                "All traffic, a service or a route has far more requests than at this hour of the"
                " week and by the last hours: a flood, a scraper, a loop in a client, or success."
            ),
            level=Level.MEDIUM,
            tags=("attack.impact", "attack.t1498", "attack.t1499", "owasp.api4"),
            falsepositive="A campaign, a sale, a mention in the news, a launch",
            unit="requests",
            threshold=30,
        ),
        VOLUME,
        UP,
    ),
    Watched(
        _detector(
            "volume_drop",
            title="Far fewer requests than expected",
            description=(
                "All traffic, a service or a route has far fewer requests than at this hour of"
                " the week and by the last hours: something in front of it fails, or turns callers"
                " away."
            ),
            level=Level.MEDIUM,
            tags=("attack.impact", "attack.t1489", "attack.t1499", "owasp.api8"),
            falsepositive="A holiday, or maintenance",
            unit="requests missing",
            threshold=30,
        ),
        VOLUME,
        DOWN,
    ),
    Watched(
        _detector(
            "auth_failures_spike",
            title="Far more answers 401 and 403 than expected",
            description=(
                "A far larger share of requests than usual is answered 401 or 403: many clients"
                " guess passwords or try stolen keys, each too slowly for a limit of its own, or a"
                " key ran out."
            ),
            level=Level.MEDIUM,
            tags=("attack.credential-access", "attack.t1110", "owasp.api2"),
            falsepositive="An expired certificate or key of a large caller",
            unit="answers 401 and 403",
            threshold=10,
        ),
        AUTH,
        UP,
    ),
    Watched(
        _detector(
            "not_found_spike",
            title="Far more answers 404 than expected",
            description=(
                "A far larger share of requests than usual is answered 404: many clients look for"
                " what is there, or a release lost a path."
            ),
            level=Level.LOW,
            tags=("attack.reconnaissance", "attack.t1595.003", "owasp.api9"),
            falsepositive="A release that moved pages, or a broken link on a busy page",
            unit="answers 404",
            threshold=10,
        ),
        MISSING,
        UP,
    ),
    Watched(
        _detector(
            "server_errors_spike",
            title="Far more answers 5xx than expected",
            description=(
                "A far larger share of requests than usual is answered 5xx: an outage, a bad"
                " release, or input that breaks the service."
            ),
            level=Level.MEDIUM,
            tags=("attack.impact", "attack.t1499.004", "owasp.api4"),
            falsepositive="A restart",
            unit="answers 5xx",
            threshold=10,
        ),
        SERVER,
        UP,
    ),
    Watched(
        _detector(
            "throttled_spike",
            title="Far more answers 429 than expected",
            description=(
                "A far larger share of requests than usual is answered 429: callers run into"
                " limits, by force or because a limit was lowered."
            ),
            level=Level.LOW,
            tags=("attack.impact", "attack.t1499", "owasp.api4"),
            falsepositive="A limit that was lowered",
            unit="answers 429",
            threshold=10,
        ),
        THROTTLED,
        UP,
    ),
    Watched(
        _detector(
            "latency_rise",
            title="Far more slow answers than expected",
            description=(
                "A far larger share of answers than usual is slower than one in twenty was when"
                " the service was learned: it is overloaded, or is sent what is costly to answer."
            ),
            level=Level.LOW,
            tags=("attack.impact", "attack.t1499.003", "owasp.api4"),
            falsepositive="A slow database, a cold cache after a release",
            unit="slow answers",
            threshold=20,
        ),
        SLOW,
        UP,
    ),
    Watched(
        _detector(
            "bytes_rise",
            title="Far more big answers than expected",
            description=(
                "A far larger share of answers than usual is bigger than one in twenty was when"
                " the service was learned: data is carried off, or a limit of pages is gone."
            ),
            level=Level.LOW,
            tags=("attack.exfiltration", "attack.t1567", "owasp.api3"),
            falsepositive="A new release with bigger answers, an export",
            unit="big answers",
            threshold=20,
        ),
        BIG,
        UP,
    ),
)

DETECTORS: Final = tuple(each.detector for each in WATCHED)
