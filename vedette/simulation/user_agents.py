"""The strings by which browsers, apps, client libraries and bots name themselves."""

from itertools import product
from typing import Final

_CHROME: Final = range(138, 155)
_DESKTOPS: Final = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0",
)
_PHONES: Final = (
    "SM-S918B",
    "SM-S921B",
    "SM-A546B",
    "SM-A155F",
    "SM-G991B",
    "Pixel 7",
    "Pixel 8",
    "Pixel 9",
    "2201117TY",
    "23049PCD8G",
    "",
    "CPH2609",
    "M2101K6G",
    "RMX3830",
    "moto g54",
    "XQ-DC54",
    "V2250",
    "A063",
)
_KIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"


def _chrome() -> list[str]:
    return [
        f"Mozilla/5.0 ({desktop}) {_KIT} Chrome/{version}.0.0.0 Safari/537.36"
        for desktop, version in product(_DESKTOPS, _CHROME)
    ]


def _edge() -> list[str]:
    return [
        f"Mozilla/5.0 ({desktop}) {_KIT} Chrome/{version}.0.0.0 Safari/537.36 "
        f"Edg/{version}.0.{2900 + 37 * (version - 138)}.{build}"
        for desktop, version, build in product(_DESKTOPS[:2], _CHROME, (44, 51, 76, 98))
    ]


def _firefox() -> list[str]:
    desktops = (*_DESKTOPS[:3], "X11; Ubuntu; Linux x86_64", "Macintosh; Intel Mac OS X 14.7")
    return [
        f"Mozilla/5.0 ({desktop}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        for desktop, version in product(desktops, range(136, 151))
    ]


def _safari() -> list[str]:
    versions = [f"{major}.{minor}" for major, minor in product((17, 18, 26), range(7))]
    desktop = [
        f"Mozilla/5.0 ({_DESKTOPS[1]}) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        f"Version/{version} Safari/605.1.15"
        for version in versions
    ]
    phone = [
        f"Mozilla/5.0 ({device} OS {version.replace('.', '_')} like Mac OS X) "
        f"AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Mobile/15E148 Safari/604.1"
        for device, version in product(("iPhone; CPU iPhone", "iPad; CPU"), versions)
    ]
    return desktop + phone


def _android() -> list[str]:
    return [
        f"Mozilla/5.0 (Linux; Android {release}; {phone}) {_KIT} "
        f"SamsungBrowser/{version}.0 Chrome/{version + 111}.0.0.0 Mobile Safari/537.36"
        for release, phone, version in product((13, 14, 15), _PHONES, (26, 27, 28))
    ]


def _apps() -> list[str]:
    versions = [
        f"{major}.{minor}.{patch}" for major, minor, patch in product((7, 8), range(9), (0, 2))
    ]
    phones = [
        f"ExampleShop/{version} (Android {release}; {phone}) okhttp/4.12.0"
        for version, release, phone in product(versions, (13, 14, 15), _PHONES)
    ]
    apples = [
        f"ExampleShop/{version} (iPhone; iOS {major}.{minor}; Scale/3.00)"
        for version, major, minor in product(versions, (17, 18, 26), range(5))
    ]
    return phones + apples


def _libraries() -> list[str]:
    own = [
        f"example-sdk-{language}/2.{minor}.{patch}"
        for language, minor, patch in product(("python", "java", "node", "go"), range(8), range(3))
    ]
    return [
        *own,
        *(f"python-requests/2.{minor}.{patch}" for minor, patch in product((31, 32), range(4))),
        *(f"axios/1.{minor}.0" for minor in range(6, 12)),
        *(f"okhttp/4.{minor}.0" for minor in range(9, 13)),
        *(f"Apache-HttpClient/5.{minor} (Java/21.0.4)" for minor in range(2, 6)),
        "Go-http-client/2.0",
        "Go-http-client/1.1",
        "PostmanRuntime/7.43.0",
        "curl/8.9.1",
        "curl/7.88.1",
        "node-fetch",
    ]


def _bots() -> list[str]:
    names = (
        "Googlebot/2.1; +http://www.google.com/bot.html",
        "bingbot/2.0; +http://www.bing.com/bingbot.htm",
        "Applebot/0.1; +http://www.apple.com/go/applebot",
        "YandexBot/3.0; +http://yandex.com/bots",
        "AhrefsBot/7.0; +http://ahrefs.com/robot/",
        "SemrushBot/7~bl; +http://www.semrush.com/bot.html",
        "DotBot/1.2; +https://opensiteexplorer.org/dotbot",
        "PetalBot;+https://webmaster.petalsearch.com/site/petalbot",
    )
    return [
        *(f"Mozilla/5.0 (compatible; {name})" for name in names),
        "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Twitterbot/1.0",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; +http://www.linkedin.com)",
    ]


#: Families of strings by class of client, each with its share of that class.
FAMILIES: Final[dict[str, tuple[tuple[float, list[str]], ...]]] = {
    "browser": (
        (0.44, _chrome()),
        (0.14, _edge()),
        (0.11, _firefox()),
        (0.20, _safari()),
        (0.11, _android()),
    ),
    "app": ((1.0, _apps()),),
    "library": ((1.0, _libraries()),),
    "bot": ((1.0, _bots()),),
    "staff": ((0.8, _chrome()), (0.2, _firefox())),
}
