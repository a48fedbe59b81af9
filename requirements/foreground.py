"""Run a command as the terminal's foreground job: Ctrl-C stops it, and not make with it.

make takes a Ctrl-C as its own end and exits with status 130, however well the command it ran
ended. So the command gets a process group of its own here, and its exit status is the answer.
Without a terminal, or in the background, the command simply takes this process's place.
"""

import os
import signal
import sys
from types import FrameType

TERMINAL = 0


def start(command: list[str]) -> int:
    """Start the command in a process group of its own that holds the terminal; return its id."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(TERMINAL, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    return child


def run_in_foreground(command: list[str]) -> int:
    """Run the command with the terminal in its hands and return its exit status."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else taking the terminal would stop us
    child = start(command)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGHUP, pass_on)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        os.tcsetpgrp(TERMINAL, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        os.killpg(0, signal.SIGTSTP)  # Ctrl-Z stops make too; we go on when the shell says so
        os.tcsetpgrp(TERMINAL, child)
        os.killpg(child, signal.SIGCONT)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(command: list[str]) -> int:
    """Run the command, in the foreground where there is one."""
    if not os.isatty(TERMINAL) or os.tcgetpgrp(TERMINAL) != os.getpgrp():
        os.execv(command[0], command)
    return run_in_foreground(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
