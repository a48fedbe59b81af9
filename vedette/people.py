"""Who types: the name that changes from the terminal are signed with."""

import getpass
import os

from ingest.masking import printable


def user_name() -> str:
    """Return the name of who is at the terminal, as the machine knows them."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        name = f"uid {os.getuid()}"
    return printable(name)


def terminal_user() -> str:
    """Return who is at the terminal, as timelines name them: cli:ann."""
    return f"cli:{user_name()}"
