"""Incidents as alerts of an Alertmanager (API v2), for teams that already run one.

Addresses: alertmanager://host:9093/prefix for plain HTTP, alertmanagers://... for TLS; before
the host, user:password@ for Basic, or one token@ for Bearer. One incident is one alert: its
labels are what Alertmanager tells alerts apart by, so they change with the severity only.
"""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from alerts.database.times import utc_now
from alerts.messages import Message
from alerts.messages.context import GRAVEST_FIRST, cut, look, moment
from alerts.messages.escaping import as_text
from alerts.messages.news import TEST, ended, news
from alerts.messages.notices import Item, Notice
from alerts.routing.target import DELIVERY_SECONDS, Target, TargetError
from alerts.transports.answers import outcome_of, outcome_of_failure
from alerts.transports.outcome import IDEMPOTENCY_HEADER, Outcome
from ingest.times import iso

#: Name of all alerts about incidents.
ALERT_NAME: Final = "VedetteIncident"

#: Name of the alert that stands for the incidents that a digest does not name.
DIGEST_NAME: Final = "VedetteIncidents"

#: How long an alert fires without news. Alertmanager would end it after five minutes.
FIRES_FOR: Final = timedelta(hours=24)

#: How long the alert of a test fires: nobody shall have to end it.
TEST_FIRES_FOR: Final = timedelta(minutes=5)

#: Seconds to connect, and to wait for each part of the answer.
_TIMEOUT: Final = (4.0, 10.0)

_TEXT_LIMIT: Final = 1_000


class AlertmanagerTransport:
    """Delivers notices as alerts."""

    def __init__(
        self,
        target: Target,
        *,
        timeout: tuple[float, float] = _TIMEOUT,
        seconds: float = DELIVERY_SECONDS,
    ) -> None:
        """Read the address. Raises TargetError."""
        url = _parsed(target)
        scheme = "https" if url.scheme.lower() == "alertmanagers" else "http"
        host = url.netloc.rpartition("@")[2]
        self._url = f"{scheme}://{host}{url.path.rstrip('/')}/api/v2/alerts"
        self._auth = _auth(url)
        self._timeout = timeout
        self._seconds = seconds

    def deliver(self, message: Message) -> Outcome:
        """Post the alerts of the message's notice."""
        done: Future[Outcome] = Future()
        threading.Thread(
            target=self._answer, args=(done, message.notice), name="alertmanager", daemon=True
        ).start()
        try:
            return done.result(self._seconds)
        except FutureTimeoutError:
            return Outcome(delivered=False, error="timed out")

    def _answer(self, done: Future[Outcome], notice: Notice) -> None:
        try:
            done.set_result(self._post(notice))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)

    def _post(self, notice: Notice) -> Outcome:
        try:
            with requests.Session() as session:
                answer = session.post(
                    self._url,
                    json=alerts(notice, utc_now()),
                    headers={IDEMPOTENCY_HEADER: notice.mark, "User-Agent": "Vedette"},
                    auth=self._auth,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,  # the answer's body says nothing that is needed
                )
                answer.close()
        except requests.RequestException as error:
            return outcome_of_failure(error)
        return outcome_of(answer.status_code, answer.headers)


def alerts(notice: Notice, now: datetime) -> list[dict[str, Any]]:
    """Return the notice as the body of POST /api/v2/alerts."""
    found = [alert for item in notice.items for alert in _alerts_of(item, notice, now)]
    left = notice.incidents - len(notice.items)
    if notice.digest and left > 0:
        found.append(_digest(notice, left, now))
    return found


def _alerts_of(item: Item, notice: Notice, now: datetime) -> list[dict[str, Any]]:
    incident = item.incident
    current = _alert(item, notice, incident.severity, _end(item, now))
    raised = any(transition.startswith("severity:") for transition in item.transitions)
    if not raised and not ended(incident):  # a rise may have been told to others only
        return [current]
    over = max(now, incident.started_at)
    return [current, *(_alert(item, notice, name, over) for name in _below(incident.severity))]


def _alert(item: Item, notice: Notice, severity: str, end: datetime) -> dict[str, Any]:
    incident = item.incident
    labels = {
        "alertname": ALERT_NAME,
        "incident": str(incident.id),
        "severity": severity,
        "entity_type": incident.entity_type,
        "entity": incident.entity,
    }
    annotations = {
        "summary": incident.summary,
        "news": ", ".join(news(item)),
        "since": moment(incident.started_at),
        "last_seen": moment(incident.last_at),
        "status": incident.status,
        "clients": str(incident.member_count) if incident.member_count else "",
        "detectors": ", ".join(incident.detectors),
        "services": ", ".join(incident.services),
        "stages": ", ".join(incident.stages),
        "labels": ", ".join(incident.labels),
        "comment": item.ending.comment if item.ending else "",
        "reference": notice.mark,
    }
    return {
        "labels": _harmless(labels),
        "annotations": _harmless(annotations) | {"look": look(notice, incident.id)},
        "startsAt": iso(incident.started_at),
        "endsAt": iso(end),
        **({"generatorURL": f"{notice.link}/incidents/{incident.id}"} if notice.link else {}),
    }


def _digest(notice: Notice, left: int, now: datetime) -> dict[str, Any]:
    over = all(ended(item.incident) for item in notice.items)
    return {
        "labels": {"alertname": DIGEST_NAME, "severity": notice.items[0].incident.severity},
        "annotations": {
            "summary": f"{notice.incidents:,} incidents came at once; {left:,} of them are no"
            " alerts of their own",
            "look": look(notice),
            "reference": notice.mark,
        },
        "startsAt": iso(now),
        "endsAt": iso(now if over else now + FIRES_FOR),
        **({"generatorURL": f"{notice.link}/incidents"} if notice.link else {}),
    }


def _end(item: Item, now: datetime) -> datetime:
    """Return when the alert ends: already, if the incident has; else unless news come."""
    incident = item.incident
    fires_for = TEST_FIRES_FOR if TEST in item.transitions else FIRES_FOR
    end = min(incident.last_at, now) if ended(incident) else now + fires_for
    return max(end, incident.started_at)


def _below(severity: str) -> tuple[str, ...]:
    return GRAVEST_FIRST[GRAVEST_FIRST.index(severity) + 1 :]


def _harmless(texts: dict[str, str]) -> dict[str, str]:
    return {name: as_text(cut(text, _TEXT_LIMIT)) for name, text in texts.items() if text}


def _parsed(target: Target) -> SplitResult:
    try:
        url = urlsplit(target.url.get_secret_value())
        valid = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        valid = False
    if not valid or url.query or url.fragment:
        raise TargetError(
            f"target {target.name}: write its address as alertmanager://host:9093, or"
            " alertmanagers:// for TLS, with user:password@ or token@ before the host"
        )
    return url


def _auth(url: SplitResult) -> AuthBase:
    if url.password is not None:
        return HTTPBasicAuth(unquote(url.username or ""), unquote(url.password))
    return _Bearer(unquote(url.username) if url.username else None)


class _Bearer(AuthBase):
    """Sends the token, if there is one, and nothing from a .netrc file."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
