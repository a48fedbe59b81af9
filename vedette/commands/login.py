"""vedette login: a link that logs into the page."""

from pathlib import Path

from alerts.access.keys import KeyNameError, KeyStore, Role
from alerts.access.sessions import SessionStore
from alerts.database.opening import open_database
from alerts.database.times import utc_now
from vedette.failures import WRONG_USE, reports_failures
from vedette.folders import secret_file
from vedette.login_link import introduced, login_link, login_name, page_address
from vedette.screen import note, terminal
from vedette.settings import load_settings


@reports_failures
def log_in(name: str | None, role: str, config: Path | None) -> int:
    """Print a link that logs somebody into the page, once."""
    screen = terminal(stderr=True)
    settings = load_settings(config)
    page = page_address(settings.api)
    if not settings.api.enabled or page is None:
        why = "api.enabled is false: there is no page" if page else "api.port is 0: name a port"
        note(screen, f"vedette: {why}, in the settings of the service")
        return WRONG_USE
    engine = open_database(settings.store.url.get_secret_value())
    try:
        keys, sessions = KeyStore(engine, secret_file()), SessionStore(engine, secret_file())
        wanted = name if name is not None else login_name()
        link = login_link(keys, sessions, page, name=wanted, role=Role[role.upper()], now=utc_now())
    except KeyNameError as error:
        note(screen, f"vedette: --name: {error}")
        return WRONG_USE
    finally:
        engine.dispose()
    note(terminal(), introduced(link))
    return 0
