"""Kinds of session: who has them, how long they last, and what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of session: which clients have it, how many steps, how long they think between them.

    `weight` is its share among the sessions of the class `of`. Steps are geometric with mean
    `steps`, at most `most`; where `least` is given they are even between `least` and `most`.
    `think` is the median pause in seconds. `first` is drawn once, before the `actions`.
    """

    name: str
    of: str
    weight: float
    steps: float
    most: int
    think: float
    actions: Mapping[str, float]
    first: Mapping[str, float] | None = None
    least: int | None = None
    signed_in: bool = False


_LOG_IN: Final = {
    "log_in": 0.91,
    "log_in_mistyped": 0.06,
    "log_in_mistyped_twice": 0.02,
    "reset_password": 0.01,
}

KINDS: Final = (
    Kind(
        "glance",
        "browser",
        0.64,
        0.4,
        3,
        25.0,
        {"product": 0.5, "category": 0.3, "stores": 0.1, "help": 0.1},
        {"landing": 0.70, "home": 0.24, "old_link": 0.03, "old_news": 0.03},
    ),
    Kind(
        "browse",
        "browser",
        0.28,
        2.0,
        10,
        18.0,
        {"product": 0.5, "category": 0.3, "search": 0.2},
        {"home": 0.5, "landing": 0.3, "search": 0.2},
    ),
    Kind(
        "buy",
        "browser",
        0.04,
        3.0,
        10,
        16.0,
        {
            "product": 0.4,
            "add_to_cart": 0.25,
            "check_out": 0.18,
            "remove_from_cart": 0.05,
            "wishlist": 0.1,
            "log_out": 0.02,
        },
        _LOG_IN,
        signed_in=True,
    ),
    Kind(
        "account",
        "browser",
        0.036,
        2.0,
        8,
        20.0,
        {
            "account": 0.25,
            "orders": 0.3,
            "order": 0.25,
            "change_profile": 0.1,
            "return": 0.05,
            "review": 0.05,
        },
        _LOG_IN,
        signed_in=True,
    ),
    Kind(
        "join",
        "browser",
        0.003,
        2.0,
        6,
        22.0,
        {"product": 0.7, "add_to_cart": 0.3},
        {"register": 1.0},
        signed_in=True,
    ),
    Kind("gallery", "browser", 0.001, 0, 190, 0.26, {"image": 1.0}, {"category": 1.0}, least=110),
    Kind("wake", "app", 0.70, 1.0, 1, 10.0, {"wake": 0.8, "token": 0.2}, signed_in=True),
    Kind(
        "app_browse",
        "app",
        0.23,
        2.4,
        12,
        9.0,
        {"app_list": 0.25, "app_product": 0.45, "app_search": 0.2, "app_trending": 0.1},
    ),
    Kind(
        "app_log_in",
        "app",
        0.03,
        2.0,
        8,
        12.0,
        {"poll": 0.3, "order": 0.4, "app_product": 0.3},
        _LOG_IN,
        signed_in=True,
    ),
    Kind("app_poll", "app", 0.04, 7.0, 28, 30.0, {"poll": 0.8, "poll_order": 0.2}, signed_in=True),
    Kind("sync", "library", 0.85, 1.3, 4, 1.5, {"feed": 0.4, "stock": 0.4, "categories": 0.2}),
    Kind(
        "partner",
        "library",
        0.08,
        3.0,
        12,
        5.0,
        {"partner_orders": 0.5, "poll_order": 0.5},
        {"token": 1.0},
        signed_in=True,
    ),
    Kind("machine", "library", 0.07, 8.0, 25, 45.0, {"device": 1.0}, signed_in=True),
    Kind(
        "preview",
        "bot",
        0.60,
        1.0,
        1,
        5.0,
        {"crawl_product": 0.8, "crawl_old": 0.03, "crawl_category": 0.17},
    ),
    Kind(
        "crawl",
        "bot",
        0.40,
        3.0,
        12,
        8.0,
        {"crawl_product": 0.75, "crawl_category": 0.23, "crawl_old": 0.02},
        {"robots": 1.0},
    ),
    Kind(
        "office",
        "staff",
        1.0,
        6.0,
        20,
        25.0,
        {"dashboard": 0.3, "support": 0.4, "report": 0.1, "restock": 0.15, "audit": 0.05},
        {"log_in": 0.92, "log_in_mistyped": 0.08},
        signed_in=True,
    ),
)
