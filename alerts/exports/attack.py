"""ATT&CK tags of rules, and stages of the kill chain, in OCSF's words."""

import re
from collections.abc import Iterable
from typing import Any, Final

#: Tactics of ATT&CK for enterprises by their names in tags.
_TACTICS: Final = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}

_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4})(\.\d{3})?", re.IGNORECASE)

#: Phases of the kill chain for our stages. Guessing passwords is a way to exploit; who got in is
#: where the attack was meant to lead.
_PHASES: Final = {
    "reconnaissance": (1, "Reconnaissance"),
    "exploitation": (4, "Exploitation"),
    "failures": (4, "Exploitation"),
    "success": (7, "Actions on Objectives"),
}


def attacks(tags: Iterable[str]) -> list[dict[str, Any]]:
    """Return OCSF's attack objects for the tags that are tactics or techniques of ATT&CK."""
    found: list[dict[str, Any]] = []
    for tag in tags:
        technique = _TECHNIQUE.fullmatch(tag)
        name = tag.lower().removeprefix("attack.").replace("_", "-")
        if technique:
            uid = technique[1].upper()
            found.append({"technique": {"uid": uid}})
            if technique[2]:
                found[-1]["sub_technique"] = {"uid": uid + technique[2]}
        elif tag.lower().startswith("attack.") and name in _TACTICS:
            caption = name.replace("-", " ").capitalize()
            found.append({"tactic": {"uid": _TACTICS[name], "name": caption}})
    return found


def kill_chain(stages: Iterable[str]) -> list[dict[str, Any]]:
    """Return OCSF's phases of the kill chain for an incident's stages, each once."""
    phases = dict.fromkeys(_PHASES[stage] for stage in stages if stage in _PHASES)
    return [{"phase_id": number, "phase": caption} for number, caption in phases]
