"""The settings: which file, which variables, who can read it, what is set and does nothing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vedette.doctor.remark import Remark, fail, ok, warn
from vedette.doctor.surroundings import Surroundings


def check_settings(at: Surroundings) -> Iterator[Remark]:
    """Say where the settings come from, and whether others can read the secrets in them."""
    if at.config is None:
        yield ok("no file: defaults" + (" and variables" if at.variables else ""))
    else:
        yield from _file(at.config)
    if at.variables:
        yield ok(f"from the environment: {', '.join(at.variables)}")
    if not at.settings.sources:
        yield fail(
            "there is no source, so there is nothing to read",
            'add [[sources]] with paths = ["/var/log/nginx/access.log*"] (vedette init)',
        )
    if not at.settings.targets and at.settings.notify.url is None:
        yield warn(
            "there is no target: incidents are stored, and nobody is told",
            "set notify.url, or add [targets.NAME]",
        )


def _file(file: Path) -> Iterator[Remark]:
    found = file.stat()
    shown = f"{file.absolute()}"
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and _may_hold_secrets(file):
        yield warn(
            f"{shown}: others than its owner can read it, and it holds secrets",
            f"chmod 600 {file}, or put secrets into variables such as VEDETTE_NOTIFY__URL",
        )
    elif found.st_uid not in {0, os.geteuid()}:
        yield warn(
            f"{shown}: it belongs to another user (number {found.st_uid}), who can change it",
            "give it to root or to the user of this program",
        )
    else:
        yield ok(shown)


def _may_hold_secrets(file: Path) -> bool:
    """Whether some key that is secret is set, commented ones left out."""
    names = ("url", "password", "key_password")
    keys = (line.partition("=")[0].strip() for line in file.read_text("utf-8").splitlines())
    return any(key.rpartition(".")[2] in names for key in keys)
