"""vedette init: a settings file with every setting explained."""

from pathlib import Path
from typing import Final

from vedette.failures import FAILED, reports_failures
from vedette.screen import note, terminal

#: Every setting with its default; what is commented out is not needed to begin.
TEMPLATE: Final = """\
# Settings of Vedette. Every value shown is the default, but for the source.
# Any of them can come from the environment instead: VEDETTE_API__PORT=9000.
# Check this file with: vedette scan --config vedette.toml FILES

# ---- Sources: which logs to read. Repeat [[sources]] for each kind of log. -------------------
[[sources]]
paths = ["/var/log/nginx/access.log*"]  # paths, folders, globs; rotations of a log are one log
format = "auto"              # auto, or a name from docs/formats.md
# pattern = '$remote_addr - $remote_user [$time_local] "$request" $status $request_time'
#                              the log_format with format "nginx", the LogFormat with "apache"
# fields = "date time c-ip cs-method cs-uri-stem sc-status"   # W3C logs without a #Fields line
# mapping = { client_ip = "net.peer.addr", status = "http.status" }  # JSON: column = field name
# timezone = "UTC"           # zone of times without an offset
# ignore = ["^DEBUG ", "^INFO "]   # regular expressions: lines that are no access lines
# service = "shop"           # what these logs are of, where lines do not say
# environment = "production"
# role = "edge"              # edge: seen where clients arrive; internal: seen behind a gateway
# lateness = "5s"            # how far lines may be out of order
# trusted_proxies = ["10.0.0.0/8"]   # whose X-Forwarded-For is believed; "private": all private

# A source can be topics of Kafka instead; all of the above but paths holds for them, too.
# [[sources]]
# bootstrap_servers = ["localhost:9092"]
# topics = ["vedette.access"]
# start = "end"              # where reading begins at first: beginning, end, or a time
# hold_back = "10m"           # time waits so long in other sources while it does not answer
# group_id = "vedette"       # under which lag tools see how far reading has come
# security_protocol = "SASL_SSL"       # PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
# sasl_mechanism = "SCRAM-SHA-512"     # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
# username = "vedette"
# password = "..."           # better as VEDETTE_SOURCES__1__PASSWORD (they count from 0)
# ca_file = "/etc/vedette/kafka-ca.pem"
# certificate_file = "/etc/vedette/kafka.pem"
# key_file = "/etc/vedette/kafka.key"
# key_password = "..."

# ---- Where incidents are kept -----------------------------------------------------------------
[store]
# url = "sqlite:////var/lib/vedette/vedette.db"   # default: a file in your state folder

# ---- The log of the service itself, on stderr ---------------------------------------------------
[log]
format = "text"              # json: an object a line
level = "info"               # debug, info, warning, error: what is less severe is left out

# ---- The incident API -------------------------------------------------------------------------
[api]
enabled = true
host = "127.0.0.1"           # another address needs behind_proxy or tls
port = 8787                  # 0 takes any free port
behind_proxy = false         # true: a proxy in front ends TLS
proxies = ["127.0.0.1/32", "::1/128"]  # where that proxy is: it is believed who it is that asks
hosts = []                   # names that people ask it by: ["vedette.example.net"]
access_log = true            # who is refused is in a log of its own, which is read like yours
# [api.tls]                  # a certificate of the API's own allows another address, too
# certificate = "/etc/vedette/cert.pem"
# key = "/etc/vedette/key.pem"
# [api.limits]               # requests a minute
# authentication = 10        # that fail to authenticate, per address
# read = 600                 # per key or session
# write = 120                # that change something, per key or session
# export = 12                # exports begun, per key or session
# address = 12000            # of all kinds, per address
# [api.oidc]                 # tokens of an OpenID Connect issuer are taken, too (docs/api.md)
# issuer = "https://id.example.net/realms/staff"   # exactly as in its tokens (iss)
# audience = "vedette"       # whom its tokens must be for (aud)
# roles_claim = "roles"      # realm_access.roles: inside of another claim
# name_claim = "preferred_username"    # the name in timelines; without it, sub
# leeway = 30                # seconds by which clocks may differ, at most 60
# [api.oidc.roles]           # which values of the claim give which role
# viewer = ["vedette-viewers"]
# analyst = ["soc"]
# admin = ["soc-leads"]

# ---- Who is told (docs/notifications.md; vedette notify routes says what it comes to) ---------
[notify]
# url = "slack://tokenA/tokenB/tokenC/#alerts"    # one Apprise URL; keep this file private
min_level = "medium"         # informational, low, medium, high, critical
max_age = "1h"               # incidents whose last event is older are stored, not sent
# link = "https://vedette.example.net"            # where people reach the page

# More than one receiver: targets, and routes to them. Without routes all are told everything.
# [targets.pager]
# url = "pagerduty://integration-key@api-key/"    # better as VEDETTE_TARGETS__PAGER__URL
# min_level = "medium"
# format = "auto"            # auto, text, markdown, html, slack
# template = "/etc/vedette/pager.j2"   # a template of your own
# fallback = "default"       # is told what cannot be delivered here; default is notify.url
# send_resolved = true       # tell also that it is over
# max_messages = 20          # of more than these ...
# per = "10m"                # ... within this time the rest goes as one digest

# [[notify.routes]]          # the first that matches says who is told
# name = "severe"
# targets = ["pager"]
# match = { severity_min = "high" }   # severity, detector, service, entity, entity_type, tag, label
# continue = true            # false: later routes are not asked
# group_by = ["incident"]    # one message for what agrees in these
# group_wait = "5s"          # how long a first message waits for more
# group_interval = "1m"      # from one message of a group to the next
# repeat_interval = "4h"     # tell again what is open and not acknowledged; 0: never
# escalate_after = "30m"     # not acknowledged for so long: tell these, too
# escalate_to = ["default"]

# [[notify.routes]]
# name = "everything"
# targets = ["default"]

# [[inhibit]]                # while an incident is open, others that it explains are not told
# name = "one attack, one message"
# source = { entity_type = "network" }
# target = { entity_type = "client" }
# equal = ["network"]        # entity, network, service
# severer = false            # true: also those that are more severe

# [[maintenance]]            # nobody is told; incidents are stored
# name = "release of the shop"
# match = { service = "shop" }
# weekly = "Sun 02:00-04:00"           # or "daily 01:00-02:00", "Mon-Fri 22:00-05:00"
# time_zone = "Europe/Paris"

# [[maintenance]]
# name = "new data centre"
# from = "2026-12-31T22:00:00Z"
# until = "2027-01-01T06:00:00Z"

# ---- What is known about addresses: MMDB files (MaxMind, DB-IP, IPinfo) -----------------------
[geo]
# country = "/var/lib/GeoIP/GeoLite2-Country.mmdb"
# city = "/var/lib/GeoIP/GeoLite2-City.mmdb"
# asn = "/var/lib/GeoIP/GeoLite2-ASN.mmdb"
# anonymous = "/var/lib/GeoIP/GeoIP2-Anonymous-IP.mmdb"
bundled = true               # without a file of countries: labels that come with Vedette

# ---- Which paths are one endpoint -------------------------------------------------------------
[routes]
openapi = []                 # OpenAPI documents, as in ["/etc/vedette/shop-openapi.yaml"]
learn = true                 # segments with very many answered values become {id}

# ---- What of people is kept only as a pseudonym -----------------------------------------------
[privacy]
pseudonymise = []            # "user", "client_ip"

# ---- Lines that could not be read -------------------------------------------------------------
[quarantine]
keep = "14d"                 # masked samples of them expire after this

# ---- Addresses for firewalls to block (docs/blocklist.md: read it before you switch it on) ----
[blocklist]
enabled = false
dry_run = false              # true: list what would be blocked, give nothing to firewalls
# detectors = ["sql_injection", "log4shell"]    # default: those that hardly ever err
allow = []                   # never blocked, as in ["198.51.100.0/24"]
length = "4h"                # after the last event
entries = 10000              # at most
new_a_minute = 30            # at most

# ---- How long things are kept (docs/retention.md; vedette erase deletes one person's at once) --
[retention]
incidents = "400d"           # after their last event, if they are over; open ones stay
deliveries = "90d"           # what was sent when
audit = "400d"               # who changed what over the API, and who was refused
endpoints = "90d"            # and how much they were used a day, after they were last seen

# ---- What vedette backtest keeps of logs, masked (docs/backtest.md) ----------------------------
[backtest]
# folder = "/var/cache/vedette/backtest"   # default: a folder in your state folder
cache_mb = 20000             # the logs that were unused longest leave first

# ---- Counts against their week: requests, errors, slow and big answers ------------------------
[spikes]
time_zone = "UTC"            # of the people who use the API, as in "Europe/Berlin"
false_alarms_per_day = 1.0   # of all these detectors, a third each for all, services, routes
learning_days = 7            # of a service or route, before it is judged

# ---- What is new about users and API keys: country, network, user agent ------------------------
[seen]
learning_days = 5            # with accepted requests, before anything can be new
learning_requests = 50       # on these days
memory_days = 60             # then it is forgotten
rare_days = 14               # seen on one day only, so long ago: told once more
usual = 6                    # who has had so many is no news with another

# ---- Which countries requests come from -------------------------------------------------------
[countries]
blocked = []                 # nobody should answer these, as in ["KP"]
expected = []                # the only ones that should come; empty: all
# reliable = true            # good enough to alert on; the labels that come with Vedette are not
learning_days = 7            # of a service, before a country can be new to it
travel_days = 3              # of a user or API key, before its travels are judged
memory_days = 60             # then it is forgotten
usual = 30                   # a service with so many countries has no new ones

# ---- Sizes of answers and numbers of objects, against a route's own ---------------------------
[sizes]
learning_days = 3            # whole days of a route, before it is judged
learning_answers = 1000      # and so many answers, for their sizes
learning_callers = 200       # and so many callers in ten minutes, for their objects

# ---- Endpoints: which are new, undeclared, deprecated (vedette endpoints) ---------------------
[inventory]
learning_days = 7            # of a service, before a route of it can be new
tell_again_days = 7          # what is still there is told again

# ---- Clients that are unlike the others (vedette train makes the model) -----------------------
[clients]
# model = "/var/lib/vedette/clients.model"   # else clients.model beside the server's secret
false_alarms_per_day = 1.0   # all in all; the next training goes by it

# ---- Rules of your own: folders of Sigma files ------------------------------------------------
[rules]
folders = []
placeholders = {}            # lists that rules share, as in { login_paths = ["*/signin"] }

# ---- Callers that may do more: limits of rates are multiplied (docs/settings.md) --------------
# [tiers.partners]
# times = 5
# clients = ["198.51.100.7"]
# networks = ["203.0.113.0/24"]
# users = ["export-service"]
# api_keys = ["key-0123456789abcdef"]   # as incidents show them

# ---- What you change about a detector, by its name (docs/detectors.md) ------------------------
# [detectors.request_rate]
# enabled = true
# threshold = 900
# level = "high"
# mode = "alert"             # monitor: kept and listed on request, nobody is told
#
# [[detectors.request_rate.exceptions]]   # all the fields that are given must agree
# client = "192.0.2.77"      # or user, api_key, network ("192.0.2.0/24"), path ("/api*"), source
#                            # or route ("shop GET /items/{id}"), service
# until = "2026-12-31T00:00:00Z"          # compared with the time of the event
# why = "our own load test"
"""


@reports_failures
def write_settings(path: Path, *, force: bool) -> int:
    """Write the template, readable by its owner only: it may come to hold secrets."""
    screen = terminal(stderr=True)
    if path.exists() and not force:
        note(screen, f"vedette: {path} is there already; --force replaces it")
        return FAILED
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(TEMPLATE, encoding="utf-8")
    note(
        screen,
        f"Wrote {path}. Set the paths of your logs in it, then:",
        f"  vedette scan --config {path} FILES   what is in these logs",
        f"  vedette run --config {path}          watch from now on",
    )
    return 0
