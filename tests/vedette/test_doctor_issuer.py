"""What the doctor says of the issuer of tokens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.issuer import Issuer, running_issuer
from vedette.doctor.issuer import check_issuer

from .doctor_places import installation, statuses


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


def settings(issuer: Issuer, more: str = "") -> str:
    return (
        f'[api.oidc]\nissuer = "{issuer.address}{more}"\naudience = "vedette"\n'
        '[api.oidc.roles]\nviewer = ["readers"]\n'
    )


def test_an_issuer_that_is_well(issuer: Issuer, tmp_path: Path) -> None:
    ((status, seen),) = statuses(check_issuer, installation(tmp_path, settings(issuer)))
    assert (status, seen) == ("ok", f"{issuer.address}: answers; keys: 1 for ES256, 1 for RS256")


def test_an_issuer_that_is_not(issuer: Issuer, tmp_path: Path) -> None:
    at = installation(tmp_path, settings(issuer, more="/"))
    ((status, seen),) = statuses(check_issuer, at)
    assert status == "fail", "a slash too many: no token would be of that issuer"
    assert "names another issuer" in seen
    assert statuses(check_issuer, installation(tmp_path))[0][0] == "skipped"
