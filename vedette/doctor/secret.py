"""The server's secret: there, of the right size, nobody else's."""

import os
from collections.abc import Iterator

from alerts.access.secret import SecretError, server_secret
from vedette.doctor.remark import Remark, fail, ok
from vedette.doctor.surroundings import Surroundings


def check_secret(at: Surroundings) -> Iterator[Remark]:
    """Look at the file, and make none."""
    file = at.secret
    if not file.exists():
        yield ok(f"{file}: not there yet; the first start makes it")
        return
    owner = file.stat().st_uid
    try:
        server_secret(file)
    except SecretError as error:
        seen, _, advice = str(error).partition("; ")
        yield fail(seen, advice)
        return
    if owner != os.geteuid():
        yield fail(
            f"{file}: it belongs to user number {owner}, and this is {os.geteuid()}",
            "run vedette as its owner, or give it to the user that runs vedette (chown)",
        )
        return
    yield ok(f"{file}: mode 0600, yours")
