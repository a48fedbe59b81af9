"""Who types: the name that changes from the terminal are signed with."""

import getpass
import os

from ingest.masking import printable


def terminal_user() -> str:
    """Return who is at the terminal, as timelines name them: cli:ann."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        name = f"uid {os.getuid()}"
    return f"cli:{printable(name)}"
