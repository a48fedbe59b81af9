"""The doctor and files of geo data: damaged ones, and coordinates anywhere in them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.geo import GeoSettings
from tests.ingest.mmdb_files import write_mmdb
from tests.vedette.doctor_places import NOW, installation, statuses
from vedette.doctor.geo import check_geo

LOCATED: dict[str, Any] = {
    "city": "Utrecht",
    "country": "NL",
    "location": {"latitude": 52.09, "longitude": 5.12},
}
MADE = int(NOW.timestamp())
HAS = ("ok", "cities have coordinates: impossible travel sees leaps within a country, too")


def said(folder: Path, **files: Path) -> list[tuple[str, str]]:
    at = installation(folder)
    geo = GeoSettings.model_validate(files)
    settings = at.settings.model_copy(update={"geo": geo})
    return statuses(check_geo, replace(at, settings=settings))


def city_file(folder: Path, damage: dict[int, int] | None = None, epoch: int = MADE) -> Path:
    """Twenty networks, with bytes changed by their places."""
    networks = {
        f"5.{i}.0.0/16": LOCATED | {"location": {"latitude": 52.09 + i / 100, "longitude": 5.12}}
        for i in range(20)
    }
    path = write_mmdb(folder / "city.mmdb", networks, epoch=epoch)
    content = bytearray(path.read_bytes())
    for place, byte in (damage or {}).items():
        content[place] = byte
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({835: 101}, ["ok", "skipped", "fail"]),
        ({439: 35, 2268: 92}, ["ok", "ok"]),
        ({75: 108, 407: 235, 1072: 88, 1601: 99}, ["ok", "skipped"]),
    ],
)
def test_files_that_break_readers_are_looked_into(
    tmp_path: Path, damage: dict[int, int], told: list[str]
) -> None:
    """With the first two, the reader's iterator aborts the process; with the third it raises."""
    found = said(tmp_path, city=city_file(tmp_path, damage))
    assert [status for status, _ in found] == told


def test_data_that_are_damaged_are_said_to_be(tmp_path: Path) -> None:
    path = city_file(tmp_path)
    content = path.read_bytes()
    at = content.index(b"city")
    path.write_bytes(content[: at - 1] + b"\xff" * 5 + content[at + 4 :])
    damaged = said(tmp_path, city=path)[-1]
    assert damaged == ("fail", f"geo.city: {path}: the data is damaged")


@pytest.mark.parametrize("epoch", [1 << 38, (1 << 64) - 1])
def test_times_that_cannot_be_are_no_failure_of_the_doctor(tmp_path: Path, epoch: int) -> None:
    found = said(tmp_path, city=city_file(tmp_path, epoch=epoch))
    assert [status for status, _ in found] == ["fail", "ok"]


@pytest.mark.parametrize(
    "network", ["1.0.0.0/16", "223.255.255.0/24", "10.0.0.0/8", "2a00:1450::/32", "2c0f::/16"]
)
def test_coordinates_of_one_network_are_found(tmp_path: Path, network: str) -> None:
    path = write_mmdb(tmp_path / "c.mmdb", {network: LOCATED}, epoch=MADE)
    assert said(tmp_path, city=path)[1:] == [HAS]
    assert said(tmp_path, country=path)[1:] == [HAS]
