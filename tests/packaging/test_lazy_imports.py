"""Asking for help is quick: what is heavy is imported by the command that needs it."""

import re
import subprocess
import sys

HEAVY = {
    "alembic",
    "apprise",
    "fastapi",
    "kafka",
    "numpy",
    "pandas",
    "polars",
    "scipy",
    "sigma",
    "sklearn",
    "sqlalchemy",
    "uvicorn",
}


def test_help_imports_nothing_heavy() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "vedette", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {name.split(".")[0] for name in re.findall(r"\| +(\S+)$", shown.stderr, re.M)}
    assert "vedette" in imported
    assert imported & HEAVY == set()


def test_a_scan_begins_without_what_only_messages_need() -> None:
    code = "import sys, vedette.commands.scan; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert "vedette.commands.scan" in loaded
    assert {"apprise", "requests", "kafka", "fastapi"}.isdisjoint(loaded)
