"""Which columns of events learned detectors cannot do without.

Each entry is a list of groups; of every group at least one column must be there. A detector that is
no rule and not here needs nothing but times, as those that watch the sources themselves.
"""

from collections.abc import Mapping
from typing import Final

Needs = tuple[tuple[str, ...], ...]

_ANSWERED: Final = ("status",)
_SEEN: Final = ("country", "asn", "user_agent")
_ENDPOINT: Final[Needs] = (("route",), _ANSWERED)
_COUNTRY: Final[Needs] = (("country",), _ANSWERED)

#: Detector -> groups of columns.
NEEDS: Final[Mapping[str, Needs]] = {
    "user_first_seen": (("user",), _ANSWERED, _SEEN),
    "api_key_first_seen": (("api_key",), _ANSWERED, _SEEN),
    "user_impossible_travel": (("user",), *_COUNTRY),
    "api_key_impossible_travel": (("api_key",), *_COUNTRY),
    "blocked_country": _COUNTRY,
    "unexpected_country": _COUNTRY,
    "service_new_country": _COUNTRY,
    "shadow_endpoint": _ENDPOINT,
    "zombie_endpoint": _ENDPOINT,
    "undeclared_method": _ENDPOINT,
    "new_endpoint": _ENDPOINT,
    "plain_http": (*_ENDPOINT, ("scheme",)),
    "response_size_outlier": (("client_ip",), *_ENDPOINT, ("response_bytes",)),
    "object_count_outlier": (("client_ip",), *_ENDPOINT, ("path",), ("user", "api_key")),
    "client_outlier": (("client_ip",),),
    "volume_spike": (),
    "volume_drop": (),
    "auth_failures_spike": (_ANSWERED,),
    "not_found_spike": (_ANSWERED,),
    "server_errors_spike": (_ANSWERED,),
    "throttled_spike": (_ANSWERED,),
    "latency_rise": (("duration_us",),),
    "bytes_rise": (("response_bytes",),),
}

#: Those that count clients where they arrive: only events of sources with the role edge.
AT_THE_EDGE: Final = frozenset(
    {
        "user_first_seen",
        "api_key_first_seen",
        "user_impossible_travel",
        "api_key_impossible_travel",
        "blocked_country",
        "unexpected_country",
        "service_new_country",
        "plain_http",
        "response_size_outlier",
        "object_count_outlier",
        "client_outlier",
    }
)
