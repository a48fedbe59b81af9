"""The issuer of tokens: it answers, is the one of the settings, and has keys that can be used."""

from collections import Counter
from collections.abc import Iterator

from api.oidc_issuer import IssuerError, fetch_keys
from vedette.doctor.remark import Remark, fail, ok, skipped
from vedette.doctor.surroundings import Surroundings


def check_issuer(at: Surroundings) -> Iterator[Remark]:
    """Ask the issuer for its keys, as the service does."""
    settings = at.settings.api.oidc
    if settings is None:
        yield skipped("tokens are not taken: there is no [api.oidc]")
        return
    try:
        keys = fetch_keys(settings)
    except IssuerError as error:
        yield fail(
            f"{settings.issuer}: {error}",
            "compare api.oidc.issuer with iss of a token, and let this machine reach it",
        )
        return
    counted = Counter(key.algorithm for key in keys)
    seen = ", ".join(f"{count} for {name}" for name, count in sorted(counted.items()))
    yield ok(f"{settings.issuer}: answers; keys: {seen}")
