"""How often somebody may ask: limits by class, per caller and per address.

Kept in memory, as the active process is one. An IPv6 client counts as its /64, which is what one
customer has. The headers are those of draft-ietf-httpapi-ratelimit-headers.
"""

import ipaddress
from dataclasses import dataclass
from math import ceil
from time import time
from typing import Final, Literal

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.limit_settings import LimitSettings

LimitClass = Literal["authentication", "read", "write", "export", "address"]

_MINUTE: Final = 60
_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit: whether one more is allowed, and the headers that tell."""

    allowed: bool
    headers: dict[str, str]


class RateLimits:
    """The limits of one application."""

    def __init__(self, settings: LimitSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items: dict[str, RateLimitItem] = {
            name: RateLimitItemPerMinute(most, namespace=name)
            for name, most in settings.model_dump().items()
        }

    def charge(self, kind: LimitClass, who: str) -> Allowance:
        """Count one request."""
        allowed = self._limiter.hit(self._items[kind], who)
        return self._allowance(kind, who, allowed=allowed)

    def exhausted(self, kind: LimitClass, who: str) -> Allowance | None:
        """Return what to answer if nothing is left; counts nothing."""
        if self._limiter.test(self._items[kind], who):
            return None
        return self._allowance(kind, who, allowed=False)

    def _allowance(self, kind: LimitClass, who: str, *, allowed: bool) -> Allowance:
        item = self._items[kind]
        stats = self._limiter.get_window_stats(item, who)
        reset = max(ceil(stats.reset_time - time()), 1)
        headers = {
            "RateLimit-Policy": f'"{kind}";q={item.amount};w={_MINUTE}',
            "RateLimit": f'"{kind}";r={stats.remaining};t={reset}',
        }
        if not allowed:
            headers["Retry-After"] = str(reset)
        return Allowance(allowed, headers)


def counted_as(address: str | None) -> str:
    """Return what an address counts as."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _PREFIX), strict=False))
    return str(parsed)
