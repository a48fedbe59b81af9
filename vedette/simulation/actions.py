"""What callers do: a page view with its assets, or a call with its follow-ups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Origin = Literal["none", "site", "outside"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an action: `delay` ms after its start, made with probability `chance`.

    `status` 0 means that the route's own mix decides.
    """

    route: str
    delay: int = 0
    chance: float = 1.0
    status: int = 0
    origin: Origin = "none"


def _page(template: str, *calls: Call, origin: Origin = "site") -> tuple[Call, ...]:
    """Return a page view: the page, what its script asks for, and the assets not yet cached."""
    assets = (
        Call("GET /static/css/main.css", 90, 0.16, origin="site"),
        Call("GET /static/js/app.js", 95, 0.16, origin="site"),
        Call("GET /static/js/vendor.js", 100, 0.12, origin="site"),
        Call("GET /static/fonts/inter.woff2", 180, 0.07, origin="site"),
        Call("GET /static/img/logo.svg", 190, 0.08, origin="site"),
        Call("GET /static/img/sprite.svg", 200, 0.07, origin="site"),
        Call("GET /static/manifest.json", 400, 0.04, origin="site"),
        Call("GET /favicon.ico", 420, 0.03, origin="site"),
        Call("GET /apple-touch-icon.png", 430, 0.01),
    )
    return (Call(f"GET {template}", origin=origin), *assets, *calls)


def _thumbnails(chance: float) -> tuple[Call, ...]:
    return tuple(
        Call("GET /media/v1/thumbnails/{hash}", 250 + 15 * place, chance, origin="site")
        for place in range(4)
    )


_PRODUCT = (
    Call("GET /catalogue/v1/products/{product}/reviews", 300, 0.25, origin="site"),
    Call("GET /catalogue/v1/products/{product}/related", 310, 0.22, origin="site"),
    Call("GET /catalogue/v1/products/{product}/stock", 320, 0.22, origin="site"),
    Call("GET /static/js/product.js", 110, 0.10, origin="site"),
    Call("GET /media/v1/images/{hash}", 220, 0.45, origin="site"),
    Call("GET /media/v1/videos/{uuid}", 900, 0.02, origin="site"),
)
_LOGIN = "POST /accounts/v1/login"
_SIGNED_IN = (
    Call("GET /accounts/v1/profile", 250, 0.9),
    Call("GET /orders/v1/cart", 280, 0.6),
    Call("GET /accounts/v1/notifications", 300, 0.5),
)

#: Everything that a session is made of.
ACTIONS: Final[Mapping[str, tuple[Call, ...]]] = {
    "home": _page("/", Call("GET /catalogue/v1/promotions", 280, 0.5, origin="site")),
    "landing": _page("/products/{product}", *_PRODUCT, origin="outside"),
    "product": _page("/products/{product}", *_PRODUCT),
    "category": _page("/categories/{category}", *_thumbnails(0.35)),
    "search": _page(
        "/search",
        Call("GET /search/v1/suggest", -1_900, 0.6, origin="site"),
        Call("GET /search/v1/suggest", -900, 0.6, origin="site"),
        Call("GET /search/v1/products", 260, 0.9, origin="site"),
        Call("GET /search/v1/filters", 270, 0.3, origin="site"),
    ),
    "help": _page("/help"),
    "stores": _page("/stores"),
    "old_link": (Call("GET /shop/item.php", origin="outside"), Call("GET /", 4_000, 0.6)),
    "old_news": (Call("GET /news/{article}", origin="outside"),),
    "image": (Call("GET /media/v1/thumbnails/{hash}", origin="site"),),
    "log_in": (Call(_LOGIN), *_SIGNED_IN),
    "log_in_mistyped": (
        Call(_LOGIN, 0, 1.0, 401),
        Call(_LOGIN, 9_000),
        Call("GET /accounts/v1/profile", 9_400),
    ),
    "log_in_mistyped_twice": (
        Call(_LOGIN, 0, 1.0, 401),
        Call(_LOGIN, 8_000, 1.0, 401),
        Call(_LOGIN, 24_000),
        Call("GET /accounts/v1/profile", 24_400),
    ),
    "reset_password": (
        Call(_LOGIN, 0, 1.0, 401),
        Call("POST /accounts/v1/password/reset", 15_000),
        Call(_LOGIN, 95_000),
    ),
    "account": _page("/account", Call("GET /accounts/v1/addresses", 250, 0.5)),
    "wishlist": (Call("GET /accounts/v1/wishlist"), *_thumbnails(0.3)),
    "orders": _page("/account/orders", Call("GET /orders/v1/orders", 250)),
    "order": (
        Call("GET /orders/v1/orders/{order}"),
        Call("GET /orders/v1/orders/{order}/items", 40, 0.7),
        Call("GET /orders/v1/orders/{order}/tracking", 60, 0.5),
        Call("GET /orders/v1/orders/{order}/invoice", 6_000, 0.08),
    ),
    "return": (
        Call("GET /orders/v1/returns"),
        Call("POST /orders/v1/returns/{order}", 20_000, 0.4),
    ),
    "add_to_cart": (Call("POST /orders/v1/cart/items"), Call("GET /orders/v1/cart", 120, 0.7)),
    "remove_from_cart": (Call("DELETE /orders/v1/cart/items/{number}"),),
    "check_out": (
        Call("GET /cart", origin="site"),
        Call("GET /static/js/checkout.js", 100, 0.5, origin="site"),
        Call("GET /payments/v1/methods", 300),
        Call("POST /payments/v1/vouchers/check", 9_000, 0.15),
        Call("POST /orders/v1/orders", 25_000),
        Call("POST /payments/v1/intents", 25_400),
        Call("POST /payments/v1/intents/{uuid}/confirm", 31_000),
        Call("GET /payments/v1/intents/{uuid}", 32_000, 0.6),
    ),
    "change_profile": (
        Call("PUT /accounts/v1/profile"),
        Call("PUT /accounts/v1/addresses/{number}", 9_000, 0.3),
    ),
    "log_out": (Call("POST /accounts/v1/logout"),),
    "review": (Call("POST /catalogue/v1/products/{product}/reviews"),),
    "register": (Call("POST /accounts/v1/register"),),
    "wake": (
        Call("GET /catalogue/v1/promotions"),
        Call("GET /accounts/v1/notifications", 80, 0.25),
    ),
    "token": (Call("POST /accounts/v1/token/refresh"), Call("GET /accounts/v1/profile", 200, 0.6)),
    "app_list": (Call("GET /catalogue/v1/products"), *_thumbnails(0.4)),
    "app_product": (
        Call("GET /catalogue/v1/products/{product}"),
        Call("GET /media/v1/images/{hash}", 60, 0.7),
        Call("GET /catalogue/v1/products/{product}/stock", 70, 0.5),
    ),
    "app_search": (Call("GET /search/v1/suggest"), Call("GET /search/v1/products", 1_800)),
    "app_trending": (Call("GET /search/v1/trending"), Call("GET /catalogue/v1/brands", 20, 0.3)),
    "poll": (Call("GET /accounts/v1/notifications"),),
    "poll_order": (Call("GET /orders/v1/orders/{order}/tracking"),),
    "device": (Call("GET /accounts/v1/devices/{uuid}/state"),),
    "feed": (Call("GET /catalogue/v1/products"),),
    "stock": (Call("GET /catalogue/v1/products/{product}/stock"),),
    "categories": (
        Call("GET /catalogue/v1/categories"),
        Call("GET /catalogue/v1/categories/{category}", 90, 0.5),
    ),
    "partner_orders": (Call("GET /orders/v1/orders"), Call("GET /payments/v1/refunds", 150, 0.3)),
    "robots": (Call("GET /robots.txt"), Call("GET /sitemap.xml", 700, 0.1)),
    "crawl_product": (Call("GET /products/{product}"),),
    "crawl_category": (Call("GET /categories/{category}"),),
    "crawl_old": (Call("GET /news/{article}"),),
    "dashboard": (Call("GET /admin/v1/dashboard"), Call("GET /admin/v1/orders", 300, 0.7)),
    "support": (
        Call("GET /admin/v1/users"),
        Call("GET /admin/v1/users/{number}", 4_000, 0.9),
        Call("POST /admin/v1/orders/{order}/notes", 30_000, 0.3),
    ),
    "report": (
        Call("GET /admin/v1/reports/daily"),
        Call("GET /admin/v1/reports/sales", 20_000, 0.5),
    ),
    "restock": (Call("PUT /admin/v1/stock/{product}"),),
    "audit": (Call("GET /admin/v1/audit"),),
}
