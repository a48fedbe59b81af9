"""Receivers of messages: addresses and templates that work, hosts that answer. Nothing is sent."""

import socket
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from alerts.messages import template_problem
from alerts.routing.target import Target, TargetError
from alerts.sending.endpoint import Endpoint, endpoint_of
from ingest.masking import printable
from vedette.doctor.bounded import Broken, Done, together
from vedette.doctor.remark import Remark, fail, ok, skipped
from vedette.doctor.surroundings import Surroundings
from vedette.notifying import targets_of

SECONDS: Final = 4.5
CONNECT_SECONDS: Final = 3.0


def check_targets(at: Surroundings) -> Iterator[Remark]:
    """Try each target's address and template, and knock at its host."""
    targets = targets_of(at.settings)
    if not targets:
        yield skipped("there is none")
        return
    jobs = [partial(_target, target) for target in targets]
    for target, outcome in zip(targets, together(jobs, SECONDS), strict=True):
        if isinstance(outcome, Done):
            yield from outcome.value
        elif isinstance(outcome, Broken):
            yield fail(f"{target.name}: looking at it breaks: {outcome.kind}", "report this")
        else:
            yield fail(
                f"{target.name}: its host is not found in {SECONDS:g} s",
                "check the name server, and the host in its address",
            )


def _target(target: Target) -> list[Remark]:
    try:
        endpoint = endpoint_of(target)
        problem = template_problem(target)
    except TargetError as error:
        return [fail(str(error), "correct its url (docs/notifications.md)")]
    found = [_reached(target, endpoint)]
    if problem is not None:
        found.append(
            fail(
                f"{target.name}: its template cannot be used: {printable(problem)}",
                "correct it; until then messages have our own words",
            )
        )
    return found


def _reached(target: Target, endpoint: Endpoint | None) -> Remark:
    test = f"vedette notify test {target.name}"
    if endpoint is None:
        return ok(f"{target.name}: address understood; whether it answers: {test}")
    proxy = _proxy(endpoint)
    there = proxy or endpoint
    through = f"the proxy {proxy} " if proxy else ""
    try:
        with socket.create_connection((there.host, there.port), CONNECT_SECONDS):
            return ok(f"{target.name}: {through}{'for ' if proxy else ''}{endpoint} answers")
    except TimeoutError:
        why = f"no answer in {CONNECT_SECONDS:g} s"
    except socket.gaierror:
        why = "there is no such host"
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
    return fail(
        f"{target.name}: {there}: {why}",
        f"check the host in its address, and the firewall; then {test}",
    )


def _proxy(endpoint: Endpoint) -> Endpoint | None:
    """Return the proxy that the environment names for this host."""
    address = getproxies().get(endpoint.web or "")
    if address is None or proxy_bypass(str(endpoint)):
        return None
    url = urlsplit(address if "://" in address else f"http://{address}")
    return Endpoint(url.hostname, url.port or 80) if url.hostname else None
