"""What a person sees who types make: the list of targets, and a Ctrl-C that ends well."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = """
import signal, sys
signal.alarm(20)  # no test waits for ever
try:
    print("serving", *sys.argv[1:], flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# The tests may run under make themselves, which tells a make below it so.
ENVIRONMENT = {
    name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder, with a blank in its name, that holds a service already set up."""
    folder = tmp_path / "a checkout"
    (folder / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "requirements" / "foreground.py", folder / "requirements")
    (folder / "requirements" / "setup.sh").write_text("exit 0\n", encoding="utf-8")
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "service.py").write_text(SERVICE, encoding="utf-8")
    (programs / "vedette").write_text(
        '#!/bin/sh\nexec .venv/bin/python .venv/bin/service.py "$@"\n', encoding="utf-8"
    )
    (programs / "vedette").chmod(0o755)
    return folder


def lines(terminal: int) -> Iterator[str]:
    """What appears on a terminal, until all its programs are gone."""
    with os.fdopen(terminal, encoding="utf-8", newline="") as screen:
        while True:
            try:
                line = screen.readline()
            except OSError:  # Linux's way to say that the other side is closed
                return
            if not line:
                return
            yield line.strip()


def test_make_alone_lists_every_target() -> None:
    shown = subprocess.run(
        ["make"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    for target in ("run", "test", "lint", "lock", "notebooks", "docs", "bench", "clean", "help"):
        assert f"\n  {target} " in shown


def test_ctrl_c_stops_the_service_and_make_is_content(checkout: Path) -> None:
    screen, keyboard = pty.openpty()
    make = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, "make", "run", "ARGS=--for 30s"],
        cwd=checkout,
        env=ENVIRONMENT,
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
    )
    os.close(keyboard)
    shown = []
    for line in lines(screen):
        shown.append(line)
        if line.startswith("serving"):
            os.write(screen, b"\x03")
    assert make.wait(timeout=30) == 0
    assert shown == ["serving demo --for 30s", "^Cstopped"]


def test_a_terminated_make_takes_the_service_along(checkout: Path) -> None:
    make = subprocess.Popen(
        ["make", "run"],
        cwd=checkout,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert make.stdout
    with make.stdout as output:
        assert output.readline() == "serving demo\n"
        make.send_signal(signal.SIGTERM)
        assert output.read() == ""  # the end of the output is the end of the service
    assert make.wait(timeout=30) != 0
