"""A process of its own that takes the lease: python lease_holder.py URL MODE."""

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from threading import Event
from unittest import mock

from alerts.database.opening import open_database
from alerts.recovery.lease import Lease, LeaseLostError
from alerts.storage.store import Store
from detectors.findings import Finding, Level

AT = datetime(2025, 11, 3, 10, 0, tzinfo=UTC)


def main(url: str, mode: str) -> None:
    engine = open_database(url)
    term = Lease(engine, length=timedelta(seconds=59)).acquire()
    if term is None:
        raise SystemExit("somebody else has the lease")
    print("holds", flush=True)
    if mode == "wait":
        Event().wait()
    finding = Finding(
        "recon", "client", "a", AT, AT, 20, 10, "paths", timedelta(minutes=1), Level.HIGH
    )
    try:
        with mock.patch("alerts.storage.store.safe_finding", _stopping):
            Store(term.fence(engine)).record([finding], watermark=None)
    except LeaseLostError:
        print("lost")
    else:
        print("written")
    engine.dispose()


def _stopping(finding: Finding) -> Finding:
    """Stop when all is worked out and the transaction is about to begin."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return finding


if __name__ == "__main__":
    main(*sys.argv[1:])
