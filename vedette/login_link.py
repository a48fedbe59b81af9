"""Log-in links: the address of the page with a single-use code in its fragment.

Browsers keep a fragment to themselves: it reaches no server, proxy or log.
"""

from datetime import datetime
from ipaddress import ip_address

from pydantic import SecretStr

from alerts.access.keys import ApiKey, KeyStore, Role
from alerts.access.sessions import CODE_LIFE, SessionStore
from alerts.storage.writing import PROGRAM
from vedette.people import user_name
from vedette.settings import ApiSettings

#: Who somebody is whose name on the machine is the program's own.
_OPERATOR = "operator"


def login_name() -> str:
    """Return whom a link is for when nobody says so: who is at the terminal."""
    name = user_name()
    return _OPERATOR if name == PROGRAM else name


def login_link(
    keys: KeyStore, sessions: SessionStore, page: str, *, name: str, role: Role, now: datetime
) -> SecretStr:
    """Return a link to the page that logs in once, within CODE_LIFE.

    The session has the name and role of a key and ends with it: one of these that is there and
    works for everything, or else a new one, whose secret nobody gets. Raises KeyNameError.
    """
    key = _key_of(keys, name, role, now) or keys.create_key(name, role, now)[0]
    code = sessions.create_code(key.id, now)
    return SecretStr(f"{page}/login#code={code.get_secret_value()}")


def introduced(link: SecretStr) -> str:
    """Say what a link is for, with the link."""
    minutes = int(CODE_LIFE.total_seconds() // 60)
    return f"Open {link.get_secret_value()} (valid {minutes} minutes, once)"


def page_address(api: ApiSettings, port: int | None = None) -> str | None:
    """Return where browsers find the page, None if the port is one that only the server knows.

    Behind a proxy that is the first of `api.hosts`, if there is one.
    """
    port = api.port if port is None else port
    if api.hosts and api.behind_proxy:
        return f"https://{_host(api.hosts[0])}"
    if port == 0:
        return None
    scheme = "https" if api.tls else "http"
    return f"{scheme}://{_host(api.hosts[0] if api.hosts else api.host)}:{port}"


def _host(name: str) -> str:
    """Return a host as it stands in an address; all addresses of a machine have this one."""
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return name
    if address.is_unspecified:
        return "localhost"
    return f"[{address}]" if ":" in str(address) else str(address)


def _key_of(keys: KeyStore, name: str, role: Role, now: datetime) -> ApiKey | None:
    for key in keys.list_keys():
        lasts = key.expires_at is None or key.expires_at > now + CODE_LIFE
        if (key.name, key.role) == (name, role) and not key.scopes and lasts and key.works(now):
            return key
    return None
