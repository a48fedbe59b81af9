"""Small parts: durations, sources, logs, times, networks, request lines, routes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.durations import format_duration, parse_duration
from ingest.logs import Log, find_logs
from ingest.networks import canonical_address, client_columns
from ingest.request_lines import split_requests
from ingest.rotations import log_path
from ingest.routes import route_templates, routes
from ingest.sources import FileSource
from ingest.times import parse_times


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *[
            ("5s", 5),
            ("10m", 600),
            ("24h", 86_400),
            ("7d", 604_800),
            ("1m30s", 90),
            ("250ms", 0.25),
        ],
        *[(5, 5), (0.5, 0.5), ("12", 12), (" 1 H ", 3600), (timedelta(hours=1), 3600), (0, 0)],
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["-5s", -1, "", "5 parsecs", "s", None, True, float("nan"), 1e30])
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@given(st.integers(0, 10**12).map(lambda count: timedelta(milliseconds=count)))
def test_durations_survive_their_text(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_a_source_from_settings() -> None:
    source = FileSource.model_validate({"paths": ["a.log"], "lateness": "1m", "role": "internal"})
    assert source.lateness == timedelta(minutes=1)
    assert source.model_dump(mode="json")["lateness"] == "1m"


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"format": "combine"}, "did you mean 'combined'"),
        ({"mapping": {"stauts": "code"}}, "did you mean 'status'"),
        ({"mapping": {"status": "a..b"}}, "empty component"),
        ({"mapping": {"status": "code"}, "format": "combined"}, "needs format 'json'"),
        ({"lateness": "-5s"}, "no duration"),
        ({"paths": []}, "at least 1"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_wrong_sources_are_refused(settings: dict[str, object], hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        FileSource.model_validate({"paths": ["a.log"], **settings})


@pytest.mark.parametrize(
    "name",
    [
        *["access.log", "access.log.1", "access.log.14.gz", "access.log-20261101"],
        *["access.log.2026-11-01.gz", "access-20261101.log", "access-2026-11-01.log.gz"],
        *["access.log-20261101.gz", "access_20261101.log", "access.log-2026110112"],
    ],
)
def test_rotations_belong_to_their_log(name: str) -> None:
    assert log_path(Path("/var/log") / name) == Path("/var/log/access.log")


@pytest.mark.parametrize("name", ["api.v2.log", "access.log.old", "2026.log", "u_ex261101.log"])
def test_other_names_are_logs_of_their_own(name: str) -> None:
    assert log_path(Path(name)) == Path(name)


def test_rotations_are_sorted_from_oldest_to_newest(tmp_path: Path) -> None:
    names = ["access.log.10.gz", "access.log.9.gz", "access.log.1", "access.log"]
    dated = ["api-20261030.log", "api-20261101.log", "api-20261101-2.log", "api.log"]
    for name in names + dated[:2] + dated[3:]:
        (tmp_path / name).touch()
    logs, problems = find_logs([str(tmp_path / "a*"), str(tmp_path / "access.log.1"), "-", "-"])
    assert problems == []
    by_name = {Path(log.name).name: [file.name for file in log.files] for log in logs}
    assert by_name["access.log"] == names
    assert by_name["api.log"] == dated[:2] + dated[3:]
    assert logs[-1] == Log("stdin", (Path("-"),))


MORNING = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("02/Nov/2026:08:00:00 +0100", MORNING),
        ("2026-11-02T07:00:00Z", MORNING),
        ("2026-11-02T08:00:00+01:00", MORNING),
        ("2026-11-02 07:00:00", MORNING),
        ("2026-11-02T07:00:00.123456789Z", MORNING.replace(microsecond=123_456)),
        ("2026-11-02 07:00:00,5", MORNING.replace(microsecond=500_000)),
        ("1793602800", MORNING),
        ("1793602800.25", MORNING.replace(microsecond=250_000)),
        ("1793602800000", MORNING),
        ("1793602800000000000", MORNING),
        ("1.7936028e9", MORNING),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        ("9" * 21, None),
        ("31/Feb/2026:08:00:00 +0100", None),
        ("nan", None),
        (None, None),
    ],
)
def test_times(text: str | None, expected: datetime | None) -> None:
    column = pl.Series([text, "2026-11-02T07:00:00Z"], dtype=pl.String)
    assert parse_times(column).to_list() == [expected, MORNING]


@pytest.mark.parametrize(
    ("raw", "address", "network"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.77:4711", "203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "2001:db8::/64"),
        ("[2001:db8::1]:443", "2001:db8::1", "2001:db8::/64"),
        ("::1", "::1", "::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("10.0.0.1, 203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("10.0.0.1, unknown", "10.0.0.1", "10.0.0.0/24"),
        ("999.1.1.1", None, None),
        ("010.1.1.1", None, None),
        ("host.example.com", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_addresses(raw: str | None, address: str | None, network: str | None) -> None:
    for column in ([raw], [raw, "198.51.100.1"], [raw, "x"]):
        addresses, networks = client_columns(pl.Series(column, dtype=pl.String))
        assert (addresses[0], networks[0]) == (address, network)


@given(st.ip_addresses())
def test_addresses_have_one_spelling(address: object) -> None:
    canonical = canonical_address(str(address).upper())
    assert canonical is not None
    assert canonical_address(canonical) == canonical


def test_request_lines_do_not_depend_on_their_neighbours() -> None:
    lines = ["GET / HTTP/1.1", "-", None, "x", "GET /a?b HTTP/1.0", "PUT http://h HTTP/1.1", ""]
    together = split_requests(pl.Series(lines, dtype=pl.String)).rows()
    alone = [split_requests(pl.Series([line], dtype=pl.String)).rows()[0] for line in lines]
    assert together == alone
    assert together[4][3:6] == ("/a", "b", "HTTP/1.0")
    assert [row[6] for row in together] == [None, None, None, "x", None, None, None]


def test_unreadable_requests_are_cut() -> None:
    raw = split_requests(pl.Series(["x" * 10_000]))["request_raw"][0]
    assert len(raw) == 4096


UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/users", "/users"),
        ("/users/7", "/users/{id}"),
        ("/users/7/", "/users/{id}/"),
        ("/users/7/orders/8/items/9", "/users/{id}/orders/{id}/items/{id}"),
        ("/1/2/3/4", "/{id}/{id}/{id}/{id}"),
        ("/v1/users2/a7", "/v1/users2/a7"),
        (f"/a/{UUID}/b", "/a/{uuid}/b"),
        (f"/{UUID}/{UUID.upper()}", "/{uuid}/{uuid}"),
        ("/f/d41d8cd98f00b204e9800998ecf8427e", "/f/{hash}"),
        ("/f/7f3a9c2e41d05b68/x", "/f/{hash}/x"),
        ("/f/deadbeef", "/f/deadbeef"),
        ("/d/2026-11-02", "/d/{date}"),
        ("/d/2026-11/x", "/d/{date}/x"),
        ("/d/2026-11-02T08:00:00Z", "/d/{date}"),
        ("/m/jane@example.com", "/m/{email}"),
        ("/m/jane%40example.com/x", "/m/{email}/x"),
        ("/t/dQw4w9WgXcQabcDEFgHi_0123456789-ab", "/t/{token}"),
        ("/a.b/readme.txt", "/a.b/readme.txt"),
        ("/x/7.png", "/x/7.png"),
        ("*", "*"),
        ("/a" * 12, "/a" * 12),
        ("/a" * 13, "/a" * 12 + "/{...}"),
        ("/" + "a" * 300, "/{...}"),
        ("/x/" + "a" * 300, "/x/{...}"),
        (None, None),
    ],
)
def test_route_templates(path: str | None, template: str | None) -> None:
    for others in ([], ["/a"], [f"/{UUID}/1/x", "/z/9"]):
        column = pl.Series([path, *others], dtype=pl.String)
        assert route_templates(column)[0] == template


def test_routes() -> None:
    frame = pl.DataFrame(
        {
            "service": ["shop", None, "shop", "shop"],
            "method": ["GET", "GET", None, "GET"],
            "template": ["/a", "/a", "/a", None],
        }
    )
    found = frame.select(routes(pl.col("service"), pl.col("method"), pl.col("template")))
    assert found.to_series().to_list() == ["shop GET /a", "GET /a", None, None]
