"""The process that bench.api_load asks: the API alone, or the whole service over a log.

    python -m bench.api_service URL [LOG]

Prints the API's address when it answers.
"""

import sys
import threading
from pathlib import Path

from alerts.database.opening import open_database
from api.application import create_api
from api.health import HealthReport
from api.server import serve
from vedette.folders import secret_file
from vedette.service import Ready, run_until_stopped
from vedette.settings import settings_from


def main() -> None:
    """Serve until killed."""
    url, *log = sys.argv[1:]
    if log:
        _whole_service(url, Path(log[0]))
        return
    app = create_api(open_database(url), secret_file(), health=lambda: HealthReport(healthy=True))
    server = serve(app, "127.0.0.1", 0)
    print(server.url, flush=True)
    threading.Event().wait()


def _whole_service(url: str, log: Path) -> None:
    settings = settings_from(
        f"[store]\nurl = '{url}'\n[api]\nport = 0\n"
        f"[[sources]]\npaths = ['{log}']\nservice = 'shop'\n"
    )

    def ready(state: Ready) -> None:
        print(state.api_url, flush=True)

    run_until_stopped(settings, secret_file(), announce=lambda _: None, ready=ready)


if __name__ == "__main__":
    main()
