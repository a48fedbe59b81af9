"""JSON: everything, one incident a line."""

import json

from alerts.exports.written import FORMATS, MEDIA_TYPES, exported
from tests.alerts.exports.incidents import detail


def test_everything_one_a_line() -> None:
    given = [detail(comment="looks bad\x1b[2J\u202e"), detail(related=True)]
    text = "".join(exported(given, "json"))
    lines = text.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    first, second = map(json.loads, lines)
    assert first == {"format": "vedette.incident/1", **json.loads(json.dumps(given[0].to_dict()))}
    assert first["comments"] == [
        {"at": "2026-11-02T08:00:00Z", "actor": "cli:ann", "text": "looks bad\x1b[2J\u202e"}
    ]
    assert first["geo"] == {
        "countries": [{"country": "DE", "count": 2}],
        "asns": [{"asn": 64_496, "count": 2}],
    }
    assert second["related"][0]["reason"] == "about the same one, earlier"


def test_every_format_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) == set(FORMATS)
