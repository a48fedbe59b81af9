"""OCSF: every incident is a valid Detection Finding, by OCSF's own schemas."""

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from alerts.exports.ocsf import OCSF_VERSION, detection_finding
from alerts.exports.written import exported
from alerts.lists.details import IncidentDetail
from detectors.findings import Level
from tests.alerts.exports.incidents import detail, evidence, finding

GUESSING = ("attack.credential-access", "attack.t1110.001")


@cache
def validator(version: str) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version)).get_class_schema(
        class_name="detection_finding", profiles=["incident"]
    )
    return Draft202012Validator(schema)


def faults(document: dict[str, Any], version: str = OCSF_VERSION) -> list[str]:
    return [
        f"{'.'.join(map(str, fault.path))}: {fault.message[:200]}"
        for fault in validator(version).iter_errors(document)
    ]


def many() -> IncidentDetail:
    clients = frozenset(f"198.51.100.{n}" for n in range(200))
    return detail(
        finding(
            "many_refused", entity_type="route", entity="POST /login", members=clients,
            tags=GUESSING, level=Level.HIGH,
        )
    )  # fmt: skip


CASES = {
    "open": detail(),
    "with everything": detail(
        finding(),
        finding("login_guessing", tags=GUESSING, level=Level.HIGH),
        finding("got_in", tags=("attack.initial-access", "attack.t1078"), level=Level.CRITICAL),
        comment="ours <b>",
        related=True,
        status="acknowledged",
        assignee="ann",
        labels=("vip",),
    ),
    "closed": detail(status="closed", resolution="false_positive"),
    "calm": detail(status="resolved", auto_resolved=True),
    "many clients": many(),
    "user": detail(finding(entity_type="user", entity="\x1b[2Jbob")),
    "client without address": detail(finding(entity="-")),
    "no evidence": detail(events=()),
    "bare evidence": detail(
        events=(evidence(0, path=None, status=None, service=None, country=None, asn=None),)
    ),
    "monitored": detail(finding(mode="monitor", tags=())),
}


@pytest.mark.parametrize("version", ["1.5.0", "1.6.0", "1.7.0", "1.8.0"])
@pytest.mark.parametrize("name", CASES)
def test_valid(name: str, version: str) -> None:
    document = detection_finding(CASES[name], "0.1.0")
    document["metadata"]["version"] = version
    assert faults(document, version) == []


@pytest.mark.parametrize("resolution", ["true_positive", "benign", "mitigated", "duplicate"])
def test_every_resolution_is_valid(resolution: str) -> None:
    document = detection_finding(detail(status="closed", resolution=resolution))
    assert faults(document) == []
    assert document["activity_name"] == "Close"
    assert document["status_id"] == (3 if resolution in {"benign", "duplicate"} else 4)


def test_the_schema_finds_faults() -> None:
    document = detection_finding(detail())
    assert faults(document | {"severity_id": 77})
    assert faults(document | {"made_up": 1})
    del document["finding_info"]["uid"]
    assert faults(document)


def test_what_it_says() -> None:
    document = detection_finding(CASES["with everything"], "0.1.0")
    assert (document["class_uid"], document["type_uid"]) == (2004, 200402)
    assert (document["severity"], document["severity_id"]) == ("Critical", 5)
    assert document["time"] == 1_793_606_440_000
    info = document["finding_info"]
    assert [phase["phase_id"] for phase in info["kill_chain"]] == [1, 4, 7]
    assert {"technique": {"uid": "T1110"}, "sub_technique": {"uid": "T1110.001"}} in info["attacks"]
    assert {"tactic": {"uid": "TA0043", "name": "Reconnaissance"}} in info["attacks"]
    (first, _) = document["evidences"]
    assert first["src_endpoint"] == {
        "ip": "203.0.113.7",
        "location": {"country": "DE"},
        "autonomous_system": {"number": 64_496},
    }
    assert document["observables"] == [
        {"name": "unmapped.entity", "type_id": 2, "type": "IP Address", "value": "203.0.113.7"}
    ]


def test_a_line_of_a_file_is_printable_json() -> None:
    (line,) = exported([CASES["user"]], "ocsf")
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert json.loads(line)["unmapped"]["entity"] == "\x1b[2Jbob"
