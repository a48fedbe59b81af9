"""What is stored of traffic: plain rows, absolute, so that to store one again changes nothing."""

from typing import Final, NamedTuple

#: Stands for all services together; not for requests that name none, which have no row of their
#: own. A name that was masked or cut cannot be empty.
EVERY: Final = ""

#: Stands for what there are too many of to keep apart.
OTHERS: Final = "(others)"


class TrafficSlot(NamedTuple):
    """A minute or hour of one service, or of EVERY one; times in us since 1970.

    `role` is where requests were seen, edge or internal. `client_errors` are answers 4xx without
    401 and 403, which are `refused`; `server_errors` are answers 5xx. Durations are null where the
    log has none, and at most an eighth off.
    """

    service: str
    role: str
    step: int
    start: int
    requests: int
    client_errors: int
    refused: int
    server_errors: int
    response_bytes: int
    p50_us: int | None
    p95_us: int | None


class TrafficTop(NamedTuple):
    """The greatest routes or countries (`kind`) of one service, or of EVERY one, in an hour.

    `entries` are name, requests, and of these answers 4xx and 5xx; the greatest first. `requests`
    are those of all names, of those left out, too.
    """

    service: str
    role: str
    kind: str
    start: int
    requests: int
    entries: tuple[tuple[str, int, int], ...]
