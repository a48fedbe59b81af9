"""Installations for the doctor to look at."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from vedette.doctor.remark import Remark
from vedette.doctor.surroundings import Surroundings
from vedette.settings import settings_from

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def installation(folder: Path, text: str = "", database: str | None = None) -> Surroundings:
    """Settings, state folder and secret in a folder of the test; the time is NOW."""
    url = database or f"sqlite:///{folder / 'v.db'}"
    settings = settings_from(f'store = {{ url = "{url}" }}\n{text}')
    return Surroundings(settings, None, (), folder, folder / "server.secret", NOW)


def statuses(
    check: Callable[[Surroundings], Iterable[Remark]], at: Surroundings
) -> list[tuple[str, str]]:
    """What a check says, as (status, words)."""
    return [(remark.status, remark.seen) for remark in check(at)]
