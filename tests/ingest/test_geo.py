"""Geo data: from the user's files, from bundled labels, and when files are replaced."""

import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.geo import GEO_SCHEMA, GeoData, GeoError, GeoSettings
from tests.ingest.mmdb_files import write_mmdb

BUNDLED = GeoData(GeoSettings())

#: In a file's tree but nowhere in the world.
SPECIAL = [
    *["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1"],
    *["192.0.2.1", "198.51.100.9", "203.0.113.7", "198.18.0.1", "224.0.0.1", "255.255.255.255"],
    *["0.0.0.0", "::", "::1", "fe80::1", "fc00::1", "2001:db8::1", "ff02::1", "3fff::1"],
]


def row(data: GeoData, address: str | None) -> tuple[object, ...]:
    frame = data.columns(pl.Series("client_ip", [address], dtype=pl.String))
    assert frame.schema == GEO_SCHEMA
    return frame.drop("location").row(0)


def city_file(path: Path, city: str = "Utrecht", epoch: int = 1) -> Path:
    return write_mmdb(
        path,
        {
            "5.0.0.0/8": {
                "country": {"iso_code": "NL"},
                "city": {"names": {"de": "x", "en": city}},
            },
            "6.0.0.0/8": {"country": {"iso_code": "us"}},
            "7.0.0.0/8": {"country": {"iso_code": "NL1"}, "city": {"names": {"de": "x"}}},
            "8.0.0.0/8": {"registered_country": {"iso_code": "NL"}},
            "2a00::/16": {"country": {"iso_code": "NL"}, "city": {"names": {"en": city}}},
            "10.0.0.0/8": {"country": {"iso_code": "NL"}},
            "2001:db8::/32": {"country": {"iso_code": "NL"}},
        },
        epoch=epoch,
    )


def all_files(folder: Path) -> GeoSettings:
    asn: dict[str, dict[str, object]] = {
        "5.1.0.0/16": {"autonomous_system_number": 64_501},
        "5.2.0.0/16": {"asn": "AS64502"},
        "5.3.0.0/16": {"asn": "x"},
    }
    flags: dict[str, dict[str, object]] = {
        "5.1.0.0/16": {"is_anonymous": True, "is_anonymous_vpn": True, "is_tor_exit_node": True},
        "5.2.0.0/16": {"is_hosting_provider": True, "is_residential_proxy": True},
        "5.3.0.0/16": {"is_residential_proxy": True},
        "5.4.0.0/16": {"is_hosting_provider": False},
        "5.5.0.0/16": {"is_public_proxy": True, "is_hosting_provider": True},
        "5.6.0.0/16": {"vpn": "true", "hosting": ""},
    }
    country: dict[str, dict[str, object]] = {
        "9.0.0.0/8": {"country": {"iso_code": "BE"}},
        "5.0.0.0/8": {"country": "XX"},
    }
    return GeoSettings(
        city=city_file(folder / "city.mmdb"),
        country=write_mmdb(folder / "country.mmdb", country, kind="Test-Country"),
        asn=write_mmdb(folder / "asn.mmdb", asn, kind="Test-ASN"),
        anonymous=write_mmdb(folder / "anonymous.mmdb", flags, kind="Test-Anonymous-IP"),
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("5.1.9.9", ("NL", "Utrecht", 64_501, "tor")),
        ("5.2.9.9", ("NL", "Utrecht", 64_502, "hosting")),
        ("5.3.9.9", ("NL", "Utrecht", None, "residential_proxy")),
        ("5.4.9.9", ("NL", "Utrecht", None, None)),
        ("5.5.9.9", ("NL", "Utrecht", None, "proxy")),
        ("5.6.9.9", ("NL", "Utrecht", None, "vpn")),
        ("6.1.1.1", ("US", None, None, None)),
        ("7.1.1.1", (None, None, None, None)),
        ("8.1.1.1", (None, None, None, None)),
        ("9.1.1.1", ("BE", None, None, None)),
        ("11.1.1.1", (None, None, None, None)),
        ("2a00::9", ("NL", "Utrecht", None, None)),
        ("10.1.1.1", (None, None, None, None)),
        ("2001:db8::1", (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_from_files(tmp_path: Path, address: str | None, expected: tuple[object, ...]) -> None:
    data = GeoData(all_files(tmp_path))
    assert not data.country_is_bundled
    for _ in range(2):
        assert row(data, address) == expected
        column = pl.Series([address, "5.1.0.1", address, "10.0.0.1"], dtype=pl.String)
        assert data.columns(column).drop("location").rows()[::2] == [expected, expected]


def test_bundled_labels() -> None:
    assert BUNDLED.country_is_bundled
    assert row(BUNDLED, "8.8.8.8") == ("US", None, None, None)
    assert row(BUNDLED, "2001:4860:4860::8888")[0] == "US"
    assert row(BUNDLED, None) == (None, None, None, None)
    assert row(GeoData(GeoSettings(bundled=False)), "8.8.8.8") == (None, None, None, None)


@pytest.mark.parametrize("address", SPECIAL)
def test_what_is_nowhere_has_no_country(address: str) -> None:
    assert row(BUNDLED, address) == (None, None, None, None)


def test_a_file_without_countries_leaves_the_bundled_labels(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "a", {"8.8.0.0/16": {"asn": 15_169}}, kind="ASN", version=4)
    data = GeoData(GeoSettings(asn=path))
    assert data.country_is_bundled
    assert row(data, "8.8.8.8") == ("US", None, 15_169, None)
    assert row(data, "2001:4860:4860::8888") == ("US", None, None, None)
    assert not GeoData(GeoSettings(city=city_file(tmp_path / "c"))).country_is_bundled


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.ip_addresses().map(str))))
def test_columns_do_not_depend_on_their_neighbours(addresses: list[str | None]) -> None:
    frame = BUNDLED.columns(pl.Series(addresses, dtype=pl.String))
    assert frame.schema == GEO_SCHEMA
    assert frame.drop("location").rows() == [row(BUNDLED, address) for address in addresses]


def test_a_replaced_file_is_used_after_a_reload(tmp_path: Path) -> None:
    path = city_file(tmp_path / "city.mmdb")
    data = GeoData(GeoSettings(city=path))
    before = data.fingerprint
    assert row(data, "5.1.1.1")[1] == "Utrecht"
    assert not data.reload()
    city_file(tmp_path / "new", city="Gouda").replace(path)
    assert row(data, "5.1.1.1")[1] == "Utrecht"
    assert data.reload()
    assert row(data, "5.1.1.1")[1] == "Gouda"
    assert data.fingerprint != before
    assert data.problems == []
    assert not data.reload()


def test_a_file_overwritten_in_place_harms_nobody(tmp_path: Path) -> None:
    path = city_file(tmp_path / "city.mmdb")
    data = GeoData(GeoSettings(city=path))
    path.write_bytes(b"")
    assert row(data, "5.1.1.1")[1] == "Utrecht"


@pytest.mark.parametrize("broken", ["cut", "text", "empty", "gone", "folder", "other kind"])
def test_a_broken_replacement_keeps_the_data_before(tmp_path: Path, broken: str) -> None:
    path = city_file(tmp_path / "city.mmdb")
    whole = path.read_bytes()
    data = GeoData(GeoSettings(city=path))
    before = data.fingerprint
    path.unlink()
    if broken == "folder":
        path.mkdir()
    elif broken == "other kind":
        write_mmdb(path, {"5.0.0.0/8": {}}, kind="GeoLite2-ASN")
    elif broken != "gone":
        path.write_bytes({"cut": whole[:-150], "text": b"no database", "empty": b""}[broken])
    for _ in range(2):
        assert not data.reload()
        assert row(data, "5.1.1.1") == ("NL", "Utrecht", None, None)
        assert data.fingerprint == before
        (problem,) = data.problems
        assert problem.startswith(f"geo.city: {path}: ")
    if broken == "folder":
        path.rmdir()
    city_file(path, city="Gouda")
    assert data.reload()
    assert data.problems == []
    assert row(data, "5.1.1.1")[1] == "Gouda"


def test_damaged_data_is_a_problem_not_a_failure(tmp_path: Path) -> None:
    path = city_file(tmp_path / "city.mmdb")
    whole = path.read_bytes()
    at = whole.index(b"Gcountry") if b"Gcountry" in whole else whole.index(b"country")
    path.write_bytes(whole[: at - 1] + b"\xff" * 8 + whole[at + 7 :])
    data = GeoData(GeoSettings(city=path))
    assert row(data, "5.1.1.1") == (None, None, None, None)
    assert "damaged" in data.problems[0]
    assert row(data, "6.1.1.1")[0] == "US"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "not a MaxMind DB file"),
        (b"text" * 99, "not a MaxMind DB file"),
    ],
)
@pytest.mark.parametrize("key", ["country", "city", "asn", "anonymous"])
def test_a_wrong_file_at_the_start_is_refused(
    tmp_path: Path, key: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "geo.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GeoError, match=rf"geo\.{key}: .*geo\.mmdb: {reason}.*give the path"):
        GeoData(GeoSettings.model_validate({key: path}))


@pytest.mark.parametrize(
    ("key", "kind", "refused"),
    [
        ("asn", "GeoIP2-City", True),
        ("city", "GeoIP2-Country", True),
        ("country", "GeoLite2-ASN", True),
        ("anonymous", "GeoLite2-ASN", True),
        ("country", "GeoIP2-City", False),
        ("city", "GeoIP2-Enterprise", False),
        ("asn", "ipinfo country_asn", False),
        ("anonymous", "my privacy data", False),
    ],
)
def test_kinds_of_files(tmp_path: Path, key: str, kind: str, refused: bool) -> None:
    path = write_mmdb(tmp_path / "geo.mmdb", {"5.0.0.0/8": {}}, kind=kind)
    settings = GeoSettings.model_validate({key: path, "bundled": False})
    if not refused:
        assert row(GeoData(settings), "5.0.0.1") == (None, None, None, None)
        return
    with pytest.raises(GeoError, match=f"'{kind}' file, which has no {key} data"):
        GeoData(settings)


def test_fingerprints_tell_data_apart(tmp_path: Path) -> None:
    one, other = city_file(tmp_path / "a"), city_file(tmp_path / "b", epoch=2)
    same = city_file(tmp_path / "c")
    prints = [GeoData(GeoSettings(city=path)).fingerprint for path in (one, other, same)]
    assert prints[0] == prints[2] != prints[1]
    assert GeoData(GeoSettings(country=one)).fingerprint != prints[0]
    assert BUNDLED.fingerprint != GeoData(GeoSettings(bundled=False)).fingerprint


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="not permitted"):
        GeoSettings.model_validate({"citty": "x"})


def test_lookups_while_files_are_replaced(tmp_path: Path) -> None:
    """Each answer is whole: one of the two files', never a mixture, never an error."""
    path = tmp_path / "city.mmdb"
    contents = [city_file(path, city=city).read_bytes() for city in ("Utrecht", "Gouda")]
    data = GeoData(GeoSettings(city=path))
    column = pl.Series([f"5.0.{i}.{j}" for i in range(8) for j in range(250)])
    cities: list[set[str]] = []

    def look_up() -> None:
        cities.extend(set(data.columns(column)["city"]) for _ in range(30))

    threads = [threading.Thread(target=look_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    changes = 0
    for turn in range(20):
        draft = tmp_path / "draft"
        draft.write_bytes(contents[turn % 2])
        draft.replace(path)
        changes += data.reload()
    for thread in threads:
        thread.join()
    assert changes == 20
    assert len(cities) == 120
    assert all(found in ({"Utrecht"}, {"Gouda"}) for found in cities)


def located(record: dict[str, object], folder: Path) -> object:
    path = write_mmdb(folder / "at.mmdb", {"5.0.0.0/8": {"city": "Utrecht"} | record})
    data = GeoData(GeoSettings(city=path))
    found = data.columns(pl.Series("client_ip", ["5.1.1.1"]))["location"].item()
    assert data.has_locations == (found is not None)
    return found


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"location": {"latitude": 52.09, "longitude": 5.1214, "accuracy_radius": 20}},
         "52.1,5.1,28"),
        ({"location": {"latitude": -0.04, "longitude": -179.96}}, "0.0,-180.0,208"),
        ({"lat": "52.09", "lng": "5.1214", "radius": "5"}, "52.1,5.1,13"),
        ({"lat": "52.09", "lng": "5.1214", "radius": "0"}, "52.1,5.1,208"),
        ({"lat": "52.09", "lng": "5.1214", "radius": "-3"}, "52.1,5.1,208"),
        ({"location": {"latitude": 52.0, "longitude": 5.0, "accuracy_radius": 70_000}},
         "52.0,5.0,20016"),
        ({"location": {"latitude": 52.0, "longitude": 5.0}, "city": {}}, None),
        ({"location": {"latitude": 0.0, "longitude": 0.0}}, None),
        ({"location": {"latitude": 91.0, "longitude": 5.0}}, None),
        ({"location": {"latitude": 52.0, "longitude": -181.0}}, None),
        ({"location": {"latitude": float("nan"), "longitude": 5.0}}, None),
        ({"location": {"latitude": True, "longitude": 5.0}}, None),
        ({"location": {"longitude": 5.0}}, None),
        ({"location": "52,5"}, None),
        ({"lat": "north", "lng": "5"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_coordinates(tmp_path: Path, record: dict[str, object], expected: str | None) -> None:
    assert located(record, tmp_path) == expected


def test_a_country_file_with_cities_has_coordinates(tmp_path: Path) -> None:
    record = {"city": "Utrecht", "country": "NL", "location": {"latitude": 52.1, "longitude": 5.1}}
    path = write_mmdb(tmp_path / "both.mmdb", {"5.0.0.0/8": record})
    data = GeoData(GeoSettings(country=path))
    assert data.columns(pl.Series("client_ip", ["5.1.1.1"]))["location"].item() == "52.1,5.1,208"
    assert data.has_locations
    assert not BUNDLED.has_locations


@pytest.mark.parametrize("whole", ["city", "country"])
def test_what_one_file_lacks_is_taken_from_the_other(tmp_path: Path, whole: str) -> None:
    """Coordinates without a country, or a country without coordinates, are half of a place."""
    at: dict[str, object] = {"city": "Utrecht", "location": {"latitude": 52.1, "longitude": 5.1}}
    of: dict[str, object] = {"country": "NL"}
    city, country = (at, of) if whole == "city" else (of, at)
    settings = GeoSettings(
        city=write_mmdb(tmp_path / "city.mmdb", {"5.0.0.0/8": city}),
        country=write_mmdb(tmp_path / "country.mmdb", {"5.0.0.0/8": country}),
    )
    found = GeoData(settings).columns(pl.Series("client_ip", ["5.1.1.1"]))
    assert found.select("country", "location").row(0) == ("NL", "52.1,5.1,208")


def test_a_file_of_few_networks_anywhere_has_coordinates(tmp_path: Path) -> None:
    record = {"city": "Utrecht", "country": "NL", "location": {"latitude": 52.1, "longitude": 5.1}}
    for number, network in enumerate(["223.255.255.0/24", "2a00:1234::/32", "203.0.113.7/32"]):
        path = write_mmdb(tmp_path / f"{number}.mmdb", {network: record})
        assert GeoData(GeoSettings(city=path)).has_locations, network


#: Looks for coordinates in damaged copies of a file, and says how that ended.
DAMAGED = """
import random, sys
from pathlib import Path
from ingest.mmdb import MmdbError, open_mmdb

whole, copy = map(Path, sys.argv[1:])
written, chance = whole.read_bytes(), random.Random(1)
damaged = 0
for _ in range(300):
    file = bytearray(written)
    for _ in range(chance.randint(1, 4)):
        file[chance.randrange(len(file))] = chance.randrange(256)
    copy.write_bytes(file)
    try:
        open_mmdb(copy).first(1_000)
    except MmdbError:
        damaged += 1
print(damaged)
"""


def test_damaged_files_end_no_program(tmp_path: Path) -> None:
    """The reader's own iterator ended it, with "free(): invalid size"."""
    records = {
        f"{n}.0.0.0/8": {"city": f"City {n}", "location": {"latitude": n, "longitude": n}}
        for n in range(1, 120)
    }
    whole = write_mmdb(tmp_path / "whole.mmdb", records)
    words = [sys.executable, "-c", DAMAGED, str(whole), str(tmp_path / "damaged.mmdb")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < 300
