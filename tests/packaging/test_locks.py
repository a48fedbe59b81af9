"""The locks pin everything by hash, name no place, and agree with pyproject.toml."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "test", "notebooks", "docs", "build", "uv")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+))? \\")
HASH = re.compile(r"    --hash=(?P<hash>sha256:[0-9a-f]{64})(?P<more> \\)?")
PLACES = re.compile(r"https?:|file:|ftp:|git\+|://|(?:^|[\s='\"])(?:/|~|\.\.?/|[A-Za-z]:\\)")


@dataclass
class Pin:
    """One line of a lock: a name may have several, told apart by their markers."""

    name: str
    version: str
    marker: str | None
    hashes: set[str]


def read_lock(name: str) -> list[Pin]:
    """Parse a lock strictly: any line but a pin followed by its hashes is an error."""
    pins: list[Pin] = []
    more_hashes = False
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if more_hashes:
            hashed = HASH.fullmatch(line)
            assert hashed, f"{name}.txt: expected a hash: {line}"
            pins[-1].hashes.add(hashed["hash"])
            more_hashes = hashed["more"] is not None
        else:
            pinned = PIN.fullmatch(line)
            assert pinned, f"{name}.txt: expected a pin with a hash: {line}"
            pins.append(Pin(pinned["name"], pinned["version"], pinned["marker"], set()))
            more_hashes = True
    assert not more_hashes, f"{name}.txt ends in the middle of a pin"
    return pins


def pyproject() -> dict[str, dict[str, list[str]]]:
    """The lists of requirements in pyproject.toml: [section][name]."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "run": {"dependencies": document["project"]["dependencies"]},
        "extras": document["project"]["optional-dependencies"],
        "build": {"requires": document["build-system"]["requires"]},
    }


def assert_covers(lock: str, requirements: list[str]) -> None:
    """Every requirement has a pin in the lock that satisfies it."""
    pins = read_lock(lock)
    for text in requirements:
        wanted = Requirement(text)
        versions = [pin.version for pin in pins if pin.name == canonicalize_name(wanted.name)]
        assert versions, f"{lock}.txt lacks {wanted.name}: run make lock"
        for version in versions:
            assert wanted.specifier.contains(version), f"{lock}.txt: {version} is not {wanted}"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(name: str) -> None:
    pins = read_lock(name)
    assert pins
    assert all(pin.hashes for pin in pins)


def test_every_lock_is_checked() -> None:
    assert {path.stem for path in (ROOT / "requirements").glob("*.txt")} == set(LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_path(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if PLACES.search(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "--find-links /srv/wheels",
        "-e file:.",
        "vedette @ ../vedette",
        r"--find-links C:\wheels",
        "--find-links=~/wheels",
    ],
)
def test_the_search_for_places_finds_them(line: str) -> None:
    assert PLACES.search(line)


@pytest.mark.parametrize("name", ["test", "notebooks", "docs"])
def test_the_larger_locks_hold_what_run_holds(name: str) -> None:
    larger = {(pin.name, pin.version): pin.hashes for pin in read_lock(name)}
    for pin in read_lock("run"):
        assert larger.get((pin.name, pin.version)) == pin.hashes, pin.name


def test_all_locks_agree_on_versions() -> None:
    versions: dict[str, dict[str, set[str]]] = {}
    for lock in LOCKS:
        for pin in read_lock(lock):
            versions.setdefault(pin.name, {}).setdefault(lock, set()).add(pin.version)
    for name, by_lock in versions.items():
        assert len({frozenset(found) for found in by_lock.values()}) == 1, f"{name}: {by_lock}"


@pytest.mark.parametrize("name", LOCKS)
def test_a_name_has_one_version_in_any_one_environment(name: str) -> None:
    pins = read_lock(name)
    for version in ("3.11", "3.12", "3.13"):
        environment = {
            "python_version": version,
            "python_full_version": f"{version}.0",
            "sys_platform": "linux",
            "os_name": "posix",
        }
        here = [p.name for p in pins if not p.marker or Marker(p.marker).evaluate(environment)]
        assert len(here) == len(set(here)), f"{name}.txt under Python {version}"


def test_the_locks_cover_pyproject() -> None:
    project = pyproject()
    dependencies = project["run"]["dependencies"]
    assert_covers("run", dependencies)
    for extra, requirements in project["extras"].items():
        assert_covers(extra, dependencies + requirements)


def test_the_build_backend_is_pinned_to_the_locked_version() -> None:
    locked = [f"{pin.name}=={pin.version}" for pin in read_lock("build")]
    assert pyproject()["build"]["requires"] == locked
