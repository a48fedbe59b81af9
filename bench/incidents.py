"""A database filled with many incidents, written by the database itself."""

from typing import Final

from sqlalchemy import Connection, Engine, text

from alerts.database.opening import for_writing

#: Incidents that one transaction writes.
_BATCH: Final = 50_000

_SERVICES: Final = (
    "shop",
    "pay",
    "search",
    "auth",
    "mail",
    "admin",
    "media",
    "stock",
    "geo",
    "ads",
)
_DETECTORS: Final = (
    *("auth_failure_burst", "missing_path_scan", "login_burst", "client_read_rate"),
    *("sql_injection", "scanner_user_agent", "object_enumeration", "client_outlier"),
    *("sensitive_files", "method_probing"),
)
_TAGS: Final = (
    *("attack.t1110", "attack.t1595.003", "owasp.api2", "owasp.api4", "attack.t1190"),
    *("owasp.api9", "attack.reconnaissance", "attack.credential-access", "owasp.api1"),
    "attack.t1078",
)
_STAGES: Final = ("reconnaissance", "exploitation", "failures", "success")


def fill(engine: Engine, incidents: int) -> None:
    """Write so many incidents over a year: a hundred thousand open, most about clients."""
    for first in range(1, incidents + 1, _BATCH):
        last = min(first + _BATCH - 1, incidents)
        with for_writing(engine).begin() as connection:
            _write(connection, first, last, incidents)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for table in ("incidents", "findings", "evidence", "timeline"):
                connection.execute(
                    text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")
                )


def _write(connection: Connection, first: int, last: int, incidents: int) -> None:
    postgresql = connection.dialect.name == "postgresql"
    numbers = (
        f"WITH n(n) AS (SELECT generate_series(CAST({first} AS BIGINT), {last}))"
        if postgresql
        else f"WITH RECURSIVE n(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n"
        f" WHERE n < {last})"
    )

    def json(text: str) -> str:
        return f"CAST({text} AS JSON)" if postgresql else text

    def one_of(values: tuple[str, ...], number: str) -> str:
        cases = " ".join(f"WHEN {at} THEN '{value}'" for at, value in enumerate(values))
        return f"(CASE ({number}) % {len(values)} {cases} END)"

    def time(number: str) -> str:
        seconds = f"({number}) * {31_536_000 / incidents}"
        if postgresql:
            return f"TIMESTAMPTZ '2025-01-01 00:00:00Z' + ({seconds}) * INTERVAL '1 second'"
        return f"strftime('%Y-%m-%d %H:%M:%f', 1735689600 + {seconds}, 'unixepoch') || '000'"

    false = "false" if postgresql else "0"
    service, detector = one_of(_SERVICES, "n % 7 * n"), one_of(_DETECTORS, "n / 3")
    tag, more = one_of(_TAGS, "n / 5"), one_of(_TAGS, "n / 5 + 1 + n % 4")
    stage = one_of(_STAGES, "n / 11")
    entity = "'10.' || (n * 7919 % 250) || '.' || (n % 251) || '.' || (n / 5 % 253)"
    entity = f"(CASE WHEN n % 20 = 0 THEN 'user' || (n % 5000) || '@example.org' ELSE {entity} END)"
    kind = "(CASE WHEN n % 20 = 0 THEN 'user' ELSE 'client' END)"
    status = (
        f"(CASE WHEN n > {incidents - 2000} THEN 'open' WHEN n % 500 = 0 THEN 'acknowledged'"
        " WHEN n % 7 = 0 THEN 'closed' ELSE 'resolved' END)"
    )
    label = "(CASE WHEN n % 400 = 0 THEN 'campaign' WHEN n % 90001 = 0 THEN 'rare' END)"
    severity = "1 + n % 4 + (n % 100) / 99"
    statements = (
        "INSERT INTO incidents (id, version, severity, status, resolution, auto_resolved,"
        " labels, mode, entity_type, entity, members, member_count, detectors, tags, stages,"
        " services, started_at, last_at, summary, calms)"
        f" SELECT n, 3, {severity}, {status}, NULL, {false},"
        + json(f"CASE WHEN {label} IS NULL THEN '[]' ELSE '[\"' || {label} || '\"]' END")
        + f", 'alert', {kind}, {entity}, {json(chr(39) + '[]' + chr(39))}, 0, "
        + json(f"'[\"' || {detector} || '\"]'")
        + ", "
        + json(f"'[\"' || {tag} || '\", \"' || {more} || '\"]'")
        + ", "
        + json(f"'[\"' || {stage} || '\"]'")
        + ", "
        + json(f"'[\"' || {service} || '\"]'")
        + f", {time('n')}, {time('n + 3')}, 'Client ' || {entity} || ': ' || (10 + n % 900) ||"
        " ' distinct missing paths within 10 min (limit 10), from 03:46:50 to 03:46:53 UTC.', 1"
        " FROM n",
        *(
            "INSERT INTO incident_terms (kind, value, last_at, incident_id, severity)"
            f" SELECT '{name}', {value}, {time('n + 3')}, n, {severity} FROM n"
            f" WHERE {value} IS NOT NULL"
            for name, value in (
                ("service", service),
                ("detector", detector),
                ("tag", tag),
                ("tag", more),
                ("stage", stage),
                ("label", label),
                ("word", entity),
                ("word", "(CASE WHEN n % 20 = 0 THEN 'user' || (n % 5000) END)"),
            )
        ),
        "INSERT INTO findings (incident_id, detector, entity_type, entity, first, last, value,"
        " threshold, unit, window_us, level, mode, tags, fingerprint, member_count, note)"
        f" SELECT n, {detector}, {kind}, {entity}, {time('n')}, {time('n + 3')}, 10 + n % 900, 10,"
        f" 'distinct missing paths', 600000000, 1 + n % 4, 'alert', "
        + json(f"'[\"' || {tag} || '\", \"' || {more} || '\"]'")
        + ", 'f', 0, '' FROM n",
        *(
            "INSERT INTO evidence (incident_id, time, partition, position, text, path, status,"
            f" service) SELECT n, {time(f'n + {at}')}, 'shop.access-0', n * 200 + {at}, 'GET"
            f" /.env/' || n || ' 404', '/.env/' || (n % 100), 404, {service} FROM n"
            for at in range(3)
        ),
        "INSERT INTO timeline (incident_id, at, actor, action, detail)"
        f" SELECT n, {time('n')}, 'vedette', 'opened', "
        + json('\'{"severity": "high"}\'')
        + " FROM n",
    )
    for statement in statements:
        connection.execute(text(f"{numbers} {statement}"))
