"""What Sigma's `expand` modifier puts for %name%: lists that rules share and settings replace.

Values are Sigma text patterns: * and ? are wildcards, and letters match without regard to case.
Paths are whole: `cs-uri-stem|expand: '%login_paths%'`.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from sigma.exceptions import SigmaPlaceholderError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaRule
from sigma.types import Placeholder, SigmaString

#: Names of placeholders and what they stand for.
Placeholders = Mapping[str, tuple[str, ...]]

DEFAULTS: Final[Placeholders] = {
    # Endpoints that take credentials and give a session or a token.
    "login_paths": (
        "*login*",
        "*log-in*",
        "*log_in*",
        "*logon*",
        "*signin*",
        "*sign-in*",
        "*sign_in*",
        "*signon*",
        "*authenticate*",
        "*j_security_check*",
        "*j_spring_security_check*",
        "*api-token-auth*",
        "*/auth",
        "*/auth/",
        "*/auth/token",
        "*/oauth/token",
        "*/oauth2/token",
        "*/connect/token",
        "*/protocol/openid-connect/token",
        "*/session",
        "*/sessions",
        "*/xmlrpc.php",
    ),
    # Endpoints that send or take what resets a password, or another secret of an account.
    "password_reset_paths": (
        "*forgot*password*",
        "*forgotten*password*",
        "*lost*password*",
        "*password*forgot*",
        "*password*lost*",
        "*password*recover*",
        "*password*remind*",
        "*password*reset*",
        "*recover*account*",
        "*recover*password*",
        "*reset*credentials*",
        "*reset*password*",
        "*account*recover*",
        "*/forgot",
        "*/resetpw*",
        "*/pwreset*",
        "*resend*otp*",
        "*resend*code*",
    ),
    # Endpoints whose answers cost the service a search.
    "search_paths": (
        "*/search",
        "*/search/*",
        "*/_search",
        "*/_msearch",
        "*/autocomplete*",
        "*/suggest",
        "*/suggest/*",
        "*/suggestions*",
        "*/typeahead*",
        "*/find",
        "*/lookup",
        "*/lookup/*",
        "*/query",
        "*:search",
    ),
    # Functions of those who run the service.
    "admin_paths": (
        "*/admin",
        "*/admin/*",
        "*/admin.*",
        "*/administration*",
        "*/administrator*",
        "*/adminer*",
        "*/backoffice*",
        "*/back-office*",
        "*/cpanel*",
        "*/controlpanel*",
        "*/control-panel*",
        "*/internal",
        "*/internal/*",
        "*/manage",
        "*/manage/*",
        "*/management",
        "*/management/*",
        "*/manager/html*",
        "*/phpmyadmin*",
        "*/pma/*",
        "*/root/*",
        "*/staff/*",
        "*/superadmin*",
        "*/superuser*",
        "*/sysadmin*",
        "*/webadmin*",
        "*/wp-admin*",
    ),
    # What shows the inside of a program, and should be open to nobody outside.
    "debug_paths": (
        "*/__debug__*",
        "*/_debug*",
        "*/_debugbar*",
        "*/_ignition/*",
        "*/_profiler*",
        "*/_wdt/*",
        "*/actuator",
        "*/actuator/*",
        "*/console",
        "*/console/*",
        "*/debug",
        "*/debug/*",
        "*/elmah.axd*",
        "*/env",
        "*/heapdump",
        "*/h2-console*",
        "*/info.php",
        "*/jmx-console*",
        "*/jolokia*",
        "*/metrics",
        "*/phpinfo*",
        "*/prometheus",
        "*/rails/info*",
        "*/server-info",
        "*/server-status",
        "*/swagger-ui*",
        "*/swagger.json",
        "*/swagger/*",
        "*/openapi.json",
        "*/api-docs*",
        "*/telescope/requests*",
        "*/threaddump",
        "*/trace",
        "*/trace.axd*",
        "*/graphiql*",
    ),
    # Business flows that hurt when a program goes through them many times.
    "sensitive_flow_paths": (
        "*/book",
        "*/booking*",
        "*/checkout*",
        "*/comment",
        "*/comments",
        "*/contact",
        "*/coupon*",
        "*/gift*card*",
        "*/invitation*",
        "*/invite*",
        "*/order",
        "*/orders",
        "*/otp*",
        "*/payment*",
        "*/payout*",
        "*/promo*",
        "*/purchase*",
        "*/redeem*",
        "*/refer-a-friend*",
        "*/referral*",
        "*/refund*",
        "*/register*",
        "*/registration*",
        "*/reservation*",
        "*/review",
        "*/reviews",
        "*/sign-up*",
        "*/sign_up*",
        "*/signup*",
        "*/sms*",
        "*/transfer*",
        "*/verify*",
        "*/voucher*",
        "*/vote*",
        "*/withdraw*",
    ),
    # Static parts of pages.
    "static_suffixes": (
        "*.avif",
        "*.bmp",
        "*.css",
        "*.eot",
        "*.gif",
        "*.ico",
        "*.jpeg",
        "*.jpg",
        "*.js",
        "*.map",
        "*.mjs",
        "*.mp3",
        "*.mp4",
        "*.otf",
        "*.png",
        "*.svg",
        "*.ttf",
        "*.wasm",
        "*.webm",
        "*.webmanifest",
        "*.webp",
        "*.woff",
        "*.woff2",
    ),
    # Programs whose purpose is to find weaknesses, by the names that they give themselves.
    "scanner_user_agents": (
        "*acunetix*",
        "*appscan*",
        "*arachni*",
        "*brutus*",
        "*burpcollaborator*",
        "*cgichk*",
        "*commix*",
        "*dirb*",
        "*dirsearch*",
        "*feroxbuster*",
        "*ffuf*",
        "*fimap*",
        "*fuzz faster*",
        "*gobuster*",
        "*gospider*",
        "*grabber*",
        "*havij*",
        "*hydra*",
        "*jaeles*",
        "*jbrofuzz*",
        "*joomscan*",
        "*kiterunner*",
        "*l9explore*",
        "*l9tcpid*",
        "*libwww-perl*scan*",
        "*masscan*",
        "*metasploit*",
        "*morfeus*",
        "*nessus*",
        "*netsparker*",
        "*nikto*",
        "*nmap*",
        "*nuclei*",
        "*openvas*",
        "*owasp*",
        "*paros*",
        "*pentest*",
        "*qualys*",
        "*rustbuster*",
        "*skipfish*",
        "*sqlmap*",
        "*sqlninja*",
        "*vega/*",
        "*w3af*",
        "*webinspect*",
        "*webshag*",
        "*wfuzz*",
        "*whatweb*",
        "*whisker*",
        "*wpscan*",
        "*xsser*",
        "*zaproxy*",
        "*zgrab*",
        "*zmeu*",
    ),
}


class _Listed(ValueListPlaceholderTransformation):
    """Puts the values, and says for an unknown name what to do."""

    def placeholder_replacements(self, p: Placeholder) -> Iterable[SigmaString]:
        known = self._pipeline.vars if self._pipeline is not None else {}
        if p.name in known:
            return super().placeholder_replacements(p)
        near = get_close_matches(p.name, known, 1)
        hint = f"did you mean %{near[0]}%?" if near else f"known are {', '.join(sorted(known))}"
        raise SigmaPlaceholderError(
            f"the placeholder %{p.name}% has no values; {hint} "
            f'Settings give values: [rules.placeholders] {p.name} = ["..."]'
        )


def values_named(
    detection: object, given: Mapping[str, Iterable[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the values of the placeholders that a detection, as written, may name."""
    values = {**DEFAULTS, **{name: tuple(these) for name, these in given.items()}}
    named = set(re.findall(r"%([^%\s]+)%", repr(detection)))
    return {name: values[name] for name in sorted(named & values.keys())}


def expand(rule: SigmaRule, given: Mapping[str, Iterable[str]]) -> None:
    """Put values for the placeholders of a rule: those given, else the defaults.

    Raises sigma.exceptions.SigmaError for a name without values.
    """
    values: dict[str, list[str]] = {name: list(these) for name, these in DEFAULTS.items()}
    values |= {name: list(these) for name, these in given.items()}
    ProcessingPipeline(items=[ProcessingItem(_Listed())], vars=values).apply(rule)
