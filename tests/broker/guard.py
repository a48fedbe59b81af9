"""A process that does not outlive the one that started it."""

import subprocess
from typing import Final

# Its input ends when the process that holds the other side does, in whatever way: kill -9 too.
_SCRIPT: Final = 'read -r _; kill -9 "$0"'


class Guard:
    """Kills a child of this process when this process is gone."""

    def __init__(self, pid: int) -> None:
        self._shell = subprocess.Popen(
            ["sh", "-c", _SCRIPT, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Stop guarding; call it when the child has ended, for its number may be given anew."""
        self._shell.kill()
        self._shell.communicate()
