"""The service as a process with a short lease: python service_process.py URL LOG [MODE]."""

import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event
from unittest import mock

from vedette.service import Ready, run_until_stopped
from vedette.settings import settings_from


def main(url: str, log: str, mode: str = "") -> None:
    settings = settings_from(
        f"""
[[sources]]
paths = ["{log}"]
format = "combined"
[store]
url = "{url}"
[api]
enabled = false
"""
    )

    def ready(state: Ready) -> None:
        print("active" if state.standby_for is None else "standby", flush=True)

    forever = mock.patch("vedette.duty.Sender.stop", side_effect=lambda _: Event().wait())
    with forever if mode == "stuck" else nullcontext():
        run_until_stopped(
            settings,
            Path(log).with_name(f"{mode or 'server'}.secret"),
            announce=lambda some: print(*(t.incident.entity for t in some), flush=True),
            ready=ready,
            lease_length=timedelta(seconds=2),
        )
    print("stopped", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
