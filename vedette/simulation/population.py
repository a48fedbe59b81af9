"""The people and programs that call: one address each, with its user agent and its user."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.draws import IntArray, choose
from vedette.simulation.user_agents import FAMILIES

#: Classes of clients and their shares.
CLASSES: Final = {"browser": 0.40, "app": 0.33, "library": 0.20, "bot": 0.067, "staff": 0.003}

#: /16 networks in which ordinary clients live, as the first two octets (from, to).
HOMES: Final = (
    ("2.200", "2.207"), ("24.16", "24.23"), ("31.16", "31.19"), ("46.80", "46.95"),
    ("62.224", "62.231"), ("73.0", "73.31"), ("77.0", "77.15"), ("78.48", "78.55"),
    ("79.192", "79.207"), ("80.128", "80.143"), ("82.0", "82.15"), ("84.112", "84.119"),
    ("86.128", "86.143"), ("87.128", "87.143"), ("90.0", "90.15"), ("91.0", "91.15"),
    ("92.192", "92.199"), ("93.192", "93.207"), ("98.192", "98.207"), ("109.40", "109.47"),
    ("151.16", "151.31"), ("176.0", "176.7"), ("178.0", "178.15"), ("188.96", "188.111"),
)  # fmt: skip

#: /16 networks of hosting and business lines: scenario clients live here, ordinary ones never.
HOSTING: Final = (
    ("45.83", "45.88"), ("51.68", "51.79"), ("94.130", "94.131"), ("104.236", "104.239"),
    ("138.68", "138.69"), ("159.65", "159.69"), ("167.99", "167.99"), ("185.220", "185.224"),
    ("193.26", "193.29"), ("195.201", "195.201"), ("212.83", "212.84"),
)  # fmt: skip

#: /16 networks of homes where clients of scenarios live, ordinary ones never.
STRANGERS: Final = (
    ("24.128", "24.135"), ("37.24", "37.31"), ("46.112", "46.119"), ("68.32", "68.47"),
    ("81.96", "81.103"), ("83.24", "83.39"), ("88.64", "88.79"), ("95.208", "95.223"),
    ("95.24", "95.31"), ("113.160", "113.175"), ("179.96", "179.111"), ("186.208", "186.223"),
    ("203.112", "203.115"),
)  # fmt: skip

#: Share of clients with an IPv6 address, and the networks (first two groups) these have.
IPV6_SHARE: Final = 0.08
IPV6_HOMES: Final = ("2a02:8108", "2003:c0", "2a00:23c7", "2601:19b", "2a01:cb1d", "2a02:c7f")
IPV6_HOSTING: Final = ("2a01:4f8", "2001:41d0", "2604:a880")
IPV6_STRANGERS: Final = ("2a02:908", "2804:14c", "2405:201", "2600:1700")


@dataclass(frozen=True, slots=True)
class Population:
    """Clients by index: `address`, `user_agent`, `user`, `protocol` (String) and `kind`.

    `kind` holds indices into the names of CLASSES. Half of the client libraries have an
    `api_key` (String), which two of them share; the others have null.
    """

    kind: IntArray
    address: pl.Series
    user_agent: pl.Series
    user: pl.Series
    protocol: pl.Series
    api_key: pl.Series


def draw_population(rng: np.random.Generator, count: int) -> Population:
    """Return `count` clients, no two with the same address."""
    kind = choose(rng, list(CLASSES.values()), count)
    user_agent = draw_user_agents(rng, kind)
    numbers = pl.Series(rng.permutation(count) + 100_000).cast(pl.String)
    staff = list(CLASSES).index("staff")
    before = np.where(kind == staff, "staff-", "u")
    modern = (kind <= 1) & (rng.random(count) < 0.85)  # noqa: PLR2004
    return Population(
        kind=kind,
        address=draw_addresses(rng, count, HOMES, IPV6_HOMES),
        user_agent=user_agent,
        user=pl.Series(before) + numbers,
        protocol=pl.Series(np.where(modern, "HTTP/2.0", "HTTP/1.1")),
        api_key=_api_keys(rng, kind),
    )


def _api_keys(rng: np.random.Generator, kind: IntArray) -> pl.Series:
    libraries = np.flatnonzero(kind == list(CLASSES).index("library"))
    holders = libraries[::2]
    digits = rng.bytes(12 * (len(holders) // 2 + 1)).hex()
    keys = pl.Series([None, *(f"ak_{digits[at : at + 24]}" for at in range(0, len(digits), 24))])
    place = np.zeros(len(kind), dtype=np.int64)
    place[holders] = 1 + np.arange(len(holders)) // 2
    return keys.gather(place)


def draw_user_agents(rng: np.random.Generator, kind: IntArray) -> pl.Series:
    """Return a user agent for each client, by its class (indices into CLASSES)."""
    names: list[str] = []
    picked = np.zeros(len(kind), dtype=np.int64)
    for index, name in enumerate(CLASSES):
        here = np.flatnonzero(kind == index)
        family = choose(rng, [share for share, _ in FAMILIES[name]], len(here))
        sizes = np.array([len(strings) for _, strings in FAMILIES[name]])
        starts = len(names) + np.cumsum(sizes) - sizes
        picked[here] = starts[family] + (rng.random(len(here)) * sizes[family]).astype(np.int64)
        for _, strings in FAMILIES[name]:
            names.extend(strings)
    return pl.Series(names).gather(picked)


def draw_addresses(
    rng: np.random.Generator,
    count: int,
    networks: tuple[tuple[str, str], ...],
    networks_v6: tuple[str, ...],
) -> pl.Series:
    """Return `count` distinct addresses of the networks in random order, some of them IPv6."""
    sixth = rng.random(count) < IPV6_SHARE
    count_v6 = int(sixth.sum())
    joined = pl.concat([_ipv4(rng, count - count_v6, networks), _ipv6(rng, count_v6, networks_v6)])
    return joined.gather(rng.permutation(count))


def _ipv4(rng: np.random.Generator, count: int, networks: tuple[tuple[str, str], ...]) -> pl.Series:
    halves = np.array(
        [half for low, high in networks for half in range(_half(low), _half(high) + 1)]
    )
    values = np.zeros(0, dtype=np.int64)
    while len(values) < count:
        more = rng.choice(halves, 2 * count) << 16
        more |= rng.integers(0, 256, 2 * count) << 8
        more |= rng.integers(1, 255, 2 * count)
        # As np.unique, which hashes: sorting is five times as fast for millions.
        ordered = np.sort(np.concatenate([values, more]))
        values = ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]
    values = rng.permutation(values)[:count]
    octets = pl.DataFrame({str(shift): (values >> shift) & 255 for shift in (24, 16, 8, 0)})
    return octets.select(pl.concat_str(pl.all(), separator=".").alias("address")).to_series()


def _half(text: str) -> int:
    first, second = text.split(".")
    return (int(first) << 8) | int(second)


def _ipv6(rng: np.random.Generator, count: int, networks: tuple[str, ...]) -> pl.Series:
    # No group is zero, so the text is already the canonical form of RFC 5952.
    groups = rng.integers(1, 0x10000, (count, 6)).tolist()
    homes = rng.integers(0, len(networks), count).tolist()
    return pl.Series(
        "address",
        [
            ":".join([networks[home], *(f"{group:x}" for group in row)])
            for home, row in zip(homes, groups, strict=True)
        ],
        dtype=pl.String,
    )
