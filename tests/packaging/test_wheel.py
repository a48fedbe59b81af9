"""The built wheel works in an environment that has never seen the checkout."""

import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("alerts", "api", "detectors", "ingest", "vedette")
DESCRIPTION = ("pyproject.toml", "README.md", "LICENSE")
LINE = (
    "203.0.113.9 - - [01/Mar/2025:10:00:{second:02d} +0000] "
    '"POST /login HTTP/1.1" 401 17 "-" "curl/8.5.0"\n'
)


@dataclass
class Environment:
    """A virtual environment with the wheel in it, and a folder to work in."""

    python: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment from the working folder."""
        return subprocess.run(
            [str(self.python.parent / command[0]), *command[1:]],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for stray in ("tests", "bench", "notebooks"):
        (source / stray).mkdir()
        (source / stray / "stray.py").write_text("", encoding="utf-8")
    for name in DESCRIPTION:
        shutil.copy(ROOT / name, source)
    built = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(built)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def contents(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A new virtual environment with the wheel; its dependencies are lent by the tests' own.

    They are lent as a bare folder on the path: a .pth file in it, such as the editable
    project's, is not read.
    """
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")],
        check=True,
        timeout=120,
    )
    python = folder / "venv" / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), *install],
        check=True,
        timeout=120,
    )
    (own,) = (folder / "venv").glob("lib/python*/site-packages")
    (own / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    working = tmp_path_factory.mktemp("elsewhere")
    return Environment(python, working)


def checkout_files(package: str, pattern: str) -> set[str]:
    """The checkout's files of a package, named as the wheel names them."""
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob(pattern)}
    assert found, f"no {pattern} in {package}"
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_module_and_its_types(package: str, contents: set[str]) -> None:
    assert checkout_files(package, "*.py") <= contents
    assert f"{package}/py.typed" in contents


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        ("detectors", "rules/**/*.yml"),
        ("alerts", "migrations/versions/*.py"),
        ("alerts", "messages/builtin/*.j2"),
        ("alerts", "migrations/*.mako"),
        ("alerts", "transports/*.json"),
        ("vedette", "simulation/scenarios/*.toml"),
    ],
)
def test_the_wheel_holds_what_the_program_reads(
    package: str, pattern: str, contents: set[str]
) -> None:
    assert checkout_files(package, pattern) <= contents


def test_the_wheel_holds_every_data_file_of_the_checkout(contents: set[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - contents == set()


def test_the_wheel_holds_nothing_else(contents: set[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert any(name.endswith("licenses/LICENSE") for name in contents)


def test_the_packages_come_from_the_wheel(environment: Environment) -> None:
    places = environment.run(
        "python",
        "-c",
        "import json, vedette, api, alerts, detectors, ingest\n"
        "print(json.dumps([m.__file__ for m in (vedette, api, alerts, detectors, ingest)]))",
    )
    assert places.returncode == 0, places.stderr
    home = environment.python.parents[1]
    for place in json.loads(places.stdout):
        assert Path(place).is_relative_to(home)


def test_help(environment: Environment) -> None:
    shown = environment.run("vedette", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "scan" in shown.stdout


def test_scan_from_another_folder(environment: Environment) -> None:
    log = environment.folder / "access.log"
    log.write_text("".join(LINE.format(second=second) for second in range(60)), encoding="utf-8")
    scanned = environment.run("vedette", "scan", "--json", "access.log")
    assert scanned.returncode == 0, scanned.stderr
    incidents = [json.loads(line) for line in scanned.stdout.splitlines()]
    assert "203.0.113.9" in {incident["entity"] for incident in incidents}
