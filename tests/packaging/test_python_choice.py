"""requirements/python.sh finds a fit Python, and says what to do where there is none."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "python.sh"
NEEDED = ("sh", "printf", "cat", "touch")


class Machine:
    """A machine of which only the programs in one folder exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in NEEDED:
            program = shutil.which(name)
            assert program
            (folder / name).symlink_to(program)
        self.program("id", "echo 1000")

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def python(self, name: str, version: str, *, venv: bool = True) -> None:
        """A Python that answers just the three questions of the script."""
        fit = tuple(map(int, version.split("."))) >= (3, 11)
        have_venv = "exit 0" if venv else f"[ -e '{self.folder}/venv-installed' ]; exit $?"
        self.program(
            name,
            'case "$2" in\n'
            f"*print*) echo {version} ;;\n"
            f"*exit*) exit {0 if fit else 1} ;;\n"
            f"*ensurepip*) {have_venv} ;;\n"
            "esac",
        )

    def choose(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT)],
            env={"PATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


def test_takes_a_python_that_is_new_enough(machine: Machine) -> None:
    machine.python("python3", "3.9")
    machine.python("python3.12", "3.12")
    chosen = machine.choose()
    assert chosen.stdout == "python3.12\n"
    assert chosen.stderr == ""


def test_passes_over_a_shim_that_does_not_run(machine: Machine) -> None:
    machine.program("python3.13", "exit 127")
    machine.python("python3.11", "3.11")
    assert machine.choose().stdout == "python3.11\n"


def test_prefers_a_python_that_has_venv(machine: Machine) -> None:
    machine.python("python3.13", "3.13", venv=False)
    machine.python("python3.11", "3.11")
    assert machine.choose().stdout == "python3.11\n"


def test_takes_the_python_that_is_named(machine: Machine) -> None:
    machine.python("python3.12", "3.12")
    machine.python("my python", "3.11")
    named = str(machine.folder / "my python")
    assert machine.choose(PYTHON=named).stdout == f"{named}\n"


def test_names_what_it_found_when_all_are_too_old(machine: Machine) -> None:
    machine.python("old", "3.9")
    refused = machine.choose(PYTHON="old")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "needs Python 3.11 or newer" in refused.stderr
    assert "old is 3.9" in refused.stderr


def test_says_so_when_there_is_none(machine: Machine) -> None:
    refused = machine.choose(PYTHON="nowhere")
    assert refused.returncode == 1
    assert "no Python that runs" in refused.stderr


@pytest.mark.parametrize("apt", [True, False])
def test_prints_the_command_to_one_who_may_not_install(machine: Machine, apt: bool) -> None:
    machine.python("bare", "3.12", venv=False)
    if apt:
        machine.program("apt-get", f"touch '{machine.folder}/venv-installed'")
    else:
        machine.program("id", "echo 0")
    refused = machine.choose(PYTHON="bare")
    assert refused.returncode == 1
    assert "apt-get install python3.12-venv" in refused.stderr
    assert not (machine.folder / "venv-installed").exists()


def test_root_gets_the_matching_package_installed(machine: Machine) -> None:
    machine.python("bare", "3.12", venv=False)
    machine.program("id", "echo 0")
    machine.program(
        "apt-get",
        f'echo "$*" >> "{machine.folder}/calls"\n'
        f"case \"$1\" in install) touch '{machine.folder}/venv-installed' ;; esac",
    )
    chosen = machine.choose(PYTHON="bare")
    assert chosen.stdout == "bare\n"
    calls = (machine.folder / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["update -qq", "install -y -qq python3.12-venv"]


def test_a_failed_install_ends_with_the_command(machine: Machine) -> None:
    machine.python("bare", "3.12", venv=False)
    machine.program("id", "echo 0")
    machine.program("apt-get", "exit 100")
    refused = machine.choose(PYTHON="bare")
    assert refused.returncode == 1
    assert "apt-get could not install python3.12-venv" in refused.stderr
    assert "apt-get install python3.12-venv" in refused.stderr
