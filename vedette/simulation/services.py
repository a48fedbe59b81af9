"""The services of the simulated shop: what they serve, how they answer, how big and how slow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Mix = Mapping[int, float]

#: Shares of the statuses with which kinds of route answer an ordinary request.
PAGE: Final[Mix] = {200: 0.93, 304: 0.05, 301: 0.01, 499: 0.006, 500: 0.002, 502: 0.002}
READ: Final[Mix] = {200: 0.957, 304: 0.03, 499: 0.004, 429: 0.004, 500: 0.003, 503: 0.002}
ITEM: Final[Mix] = {200: 0.945, 304: 0.03, 404: 0.012, 499: 0.005, 429: 0.004, 500: 0.004}
OWN: Final[Mix] = {200: 0.968, 304: 0.01, 401: 0.008, 404: 0.005, 403: 0.003, 500: 0.006}
WRITE: Final[Mix] = {
    201: 0.94,
    422: 0.02,
    400: 0.018,
    409: 0.01,
    500: 0.006,
    503: 0.004,
    429: 0.002,
}
CHANGE: Final[Mix] = {200: 0.95, 204: 0.02, 422: 0.02, 500: 0.006, 503: 0.004}
ASSET: Final[Mix] = {200: 0.56, 304: 0.42, 499: 0.012, 206: 0.006, 404: 0.002}
SEARCH: Final[Mix] = {200: 0.962, 429: 0.02, 400: 0.006, 500: 0.006, 504: 0.006}
GONE: Final[Mix] = {404: 1.0}
FINE: Final[Mix] = {200: 1.0}


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path template with its ordinary answers.

    `size` is the median of the bytes of a full answer, `millis` of the duration. Parameters in
    the template are names of `parameters.POOLS`. `query` names a pool of query strings, `private`
    says that only signed-in callers get through (their user is then in the log).
    """

    method: str
    template: str
    mix: Mix
    size: int
    millis: int
    query: str | None = None
    private: bool = False

    @property
    def key(self) -> str:
        """How actions refer to the route."""
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True)
class Service:
    """A service behind the gateway, with its host and routes."""

    name: str
    host: str
    routes: tuple[Route, ...]


_WEB = "www.example.com"
_API = "api.example.com"


def _assets(paths: Mapping[str, int]) -> tuple[Route, ...]:
    return tuple(Route("GET", path, ASSET, size, 3) for path, size in paths.items())


SERVICES: Final = (
    Service(
        "web",
        _WEB,
        (
            Route("GET", "/", PAGE, 18_500, 45),
            Route("GET", "/products/{product}", PAGE, 22_000, 60),
            Route("GET", "/categories/{category}", PAGE, 31_000, 75, "page"),
            Route("GET", "/search", PAGE, 27_000, 90, "words"),
            Route("GET", "/cart", PAGE, 9_800, 40),
            Route("GET", "/account", PAGE, 8_700, 40),
            Route("GET", "/account/orders", PAGE, 12_000, 70),
            Route("GET", "/help", PAGE, 14_000, 20),
            Route("GET", "/stores", PAGE, 16_000, 25),
            Route("GET", "/robots.txt", FINE, 310, 2),
            Route("GET", "/sitemap.xml", FINE, 88_000, 6),
            Route("GET", "/healthz", FINE, 15, 1),
            Route("GET", "/favicon.ico", GONE, 146, 1),
            Route("GET", "/apple-touch-icon.png", GONE, 146, 1),
            Route("GET", "/shop/item.php", GONE, 146, 1, "item"),
            Route("GET", "/news/{article}", GONE, 146, 2),
        ),
    ),
    Service(
        "static",
        _WEB,
        _assets(
            {
                "/static/css/main.css": 42_000,
                "/static/css/print.css": 3_100,
                "/static/js/app.js": 184_000,
                "/static/js/vendor.js": 410_000,
                "/static/js/product.js": 38_000,
                "/static/js/checkout.js": 52_000,
                "/static/fonts/inter.woff2": 98_000,
                "/static/img/logo.svg": 4_200,
                "/static/img/sprite.svg": 21_000,
                "/static/img/banner.webp": 120_000,
                "/static/manifest.json": 640,
            }
        ),
    ),
    Service(
        "catalogue",
        _API,
        (
            Route("GET", "/catalogue/v1/products", READ, 14_000, 55, "page"),
            Route("GET", "/catalogue/v1/products/{product}", ITEM, 3_900, 18),
            Route("GET", "/catalogue/v1/products/{product}/reviews", ITEM, 6_200, 30, "page"),
            Route("GET", "/catalogue/v1/products/{product}/related", ITEM, 5_100, 42),
            Route("GET", "/catalogue/v1/products/{product}/stock", READ, 210, 12),
            Route("GET", "/catalogue/v1/categories", READ, 7_400, 14),
            Route("GET", "/catalogue/v1/categories/{category}", ITEM, 2_800, 16),
            Route("GET", "/catalogue/v1/brands", READ, 9_100, 15),
            Route("GET", "/catalogue/v1/promotions", READ, 3_300, 20),
            Route("POST", "/catalogue/v1/products/{product}/reviews", WRITE, 480, 60, None, True),
        ),
    ),
    Service(
        "accounts",
        _API,
        (
            Route("POST", "/accounts/v1/login", FINE, 820, 160),
            Route("POST", "/accounts/v1/logout", CHANGE, 20, 15, None, True),
            Route("POST", "/accounts/v1/token/refresh", FINE, 760, 25),
            Route("POST", "/accounts/v1/password/reset", CHANGE, 60, 120),
            Route("POST", "/accounts/v1/register", WRITE, 540, 210),
            Route("GET", "/accounts/v1/profile", OWN, 930, 18, None, True),
            Route("PUT", "/accounts/v1/profile", CHANGE, 930, 45, None, True),
            Route("GET", "/accounts/v1/addresses", OWN, 1_150, 20, None, True),
            Route("PUT", "/accounts/v1/addresses/{number}", CHANGE, 420, 40, None, True),
            Route("GET", "/accounts/v1/preferences", OWN, 610, 14, None, True),
            Route("GET", "/accounts/v1/notifications", OWN, 380, 11, "since", True),
            Route("GET", "/accounts/v1/wishlist", OWN, 2_400, 26, None, True),
            Route("GET", "/accounts/v1/devices/{uuid}/state", OWN, 290, 9, None, True),
        ),
    ),
    Service(
        "orders",
        _API,
        (
            Route("GET", "/orders/v1/orders", OWN, 5_800, 48, "page", True),
            Route("POST", "/orders/v1/orders", WRITE, 1_600, 190, None, True),
            Route("GET", "/orders/v1/orders/{order}", OWN, 2_100, 24, None, True),
            Route("GET", "/orders/v1/orders/{order}/items", OWN, 2_900, 26, None, True),
            Route("GET", "/orders/v1/orders/{order}/tracking", OWN, 740, 85, None, True),
            Route("GET", "/orders/v1/orders/{order}/invoice", OWN, 64_000, 240, None, True),
            Route("GET", "/orders/v1/cart", OWN, 1_300, 17, None, True),
            Route("POST", "/orders/v1/cart/items", WRITE, 1_400, 32, None, True),
            Route("DELETE", "/orders/v1/cart/items/{number}", CHANGE, 900, 28, None, True),
            Route("GET", "/orders/v1/returns", OWN, 860, 30, None, True),
            Route("POST", "/orders/v1/returns/{order}", WRITE, 520, 95, None, True),
        ),
    ),
    Service(
        "payments",
        _API,
        (
            Route("GET", "/payments/v1/methods", OWN, 690, 35, None, True),
            Route("POST", "/payments/v1/intents", WRITE, 880, 260, None, True),
            Route("GET", "/payments/v1/intents/{uuid}", OWN, 720, 40, None, True),
            Route("POST", "/payments/v1/intents/{uuid}/confirm", CHANGE, 640, 620, None, True),
            Route("POST", "/payments/v1/vouchers/check", CHANGE, 180, 30, None, True),
            Route("GET", "/payments/v1/refunds", OWN, 410, 38, None, True),
        ),
    ),
    Service(
        "search",
        _API,
        (
            Route("GET", "/search/v1/products", SEARCH, 11_000, 120, "words"),
            Route("GET", "/search/v1/suggest", SEARCH, 640, 22, "prefix"),
            Route("GET", "/search/v1/filters", READ, 2_600, 28),
            Route("GET", "/search/v1/trending", READ, 1_900, 15),
        ),
    ),
    Service(
        "media",
        _WEB,
        (
            Route("GET", "/media/v1/images/{hash}", ASSET, 46_000, 8),
            Route("GET", "/media/v1/thumbnails/{hash}", ASSET, 7_200, 5),
            Route("GET", "/media/v1/videos/{uuid}", ASSET, 940_000, 60),
        ),
    ),
    Service(
        "admin",
        _API,
        (
            Route("GET", "/admin/v1/dashboard", OWN, 6_400, 140, None, True),
            Route("GET", "/admin/v1/users", OWN, 18_000, 90, "page", True),
            Route("GET", "/admin/v1/users/{number}", OWN, 2_200, 35, None, True),
            Route("GET", "/admin/v1/orders", OWN, 24_000, 130, "page", True),
            Route("POST", "/admin/v1/orders/{order}/notes", WRITE, 340, 50, None, True),
            Route("GET", "/admin/v1/reports/daily", OWN, 92_000, 1_400, None, True),
            Route("GET", "/admin/v1/reports/sales", OWN, 71_000, 900, None, True),
            Route("PUT", "/admin/v1/stock/{product}", CHANGE, 190, 45, None, True),
            Route("GET", "/admin/v1/audit", OWN, 33_000, 160, "page", True),
        ),
    ),
)
