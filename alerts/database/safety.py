"""Text from logs made safe to store, to index and to show."""

import hashlib
import re
from dataclasses import replace
from typing import Final

from detectors.findings import Evidence, Finding
from ingest.masking import printable

#: Characters of an entity's name; a longer one ends in a digest of the whole.
ENTITY_LIMIT: Final = 512

#: Characters of an evidence line and of a path.
TEXT_LIMIT: Final = 2_000

#: Characters of what a finding tells beside its value.
NOTE_LIMIT: Final = 500

#: Characters of a service's name.
SERVICE_LIMIT: Final = 128

#: The greatest number of an autonomous system: they have 32 bits.
ASN_LIMIT: Final = 2**32 - 1

_COUNTRY: Final = re.compile("[A-Z]{2}")


_NOBODY: Final = frozenset[str]()


def safe_finding(finding: Finding) -> Finding:
    """Return the finding with printable text of bounded length; the same if it is so already.

    One about a client has no members.
    """
    entity = safe_name(finding.entity)
    evidence = tuple(_safe_evidence(item) for item in finding.evidence)
    counts = finding.entity_type != "client"
    members = frozenset(map(safe_name, finding.members)) if counts else _NOBODY
    note = bounded(printable(finding.note), NOTE_LIMIT)
    told = finding.entity, finding.evidence, finding.members, finding.note
    if (entity, evidence, members, note) == told:
        return finding
    return replace(finding, entity=entity, evidence=evidence, members=members, note=note)


def safe_name(entity: str) -> str:
    """Return an entity's name as it is stored."""
    return bounded(printable(entity), ENTITY_LIMIT)


def bounded(text: str, limit: int) -> str:
    """Return the text, or its beginning and a digest: still different for different texts."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: limit - 17]}…{digest}"


def _safe_evidence(item: Evidence) -> Evidence:
    return replace(
        item,
        partition=printable(item.partition),
        text=printable(item.text)[:TEXT_LIMIT],
        path=None if item.path is None else printable(item.path)[:TEXT_LIMIT],
        service=None if item.service is None else bounded(printable(item.service), SERVICE_LIMIT),
        country=item.country if _COUNTRY.fullmatch(item.country or "") else None,
        asn=item.asn if 0 <= (item.asn or -1) <= ASN_LIMIT else None,
    )
