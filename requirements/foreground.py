"""Run a command as the terminal's foreground job: Ctrl-C stops it, and not make with it.

make takes a Ctrl-C as its own end and exits with status 130, however well the command it ran
ended. So the command gets a process group of its own here, and its exit status is the answer.
Without a terminal, or in the background, the command simply takes this process's place.
"""

import os
import signal
import sys
from subprocess import Popen
from types import FrameType

TERMINAL = 0


def run_in_foreground(command: list[str]) -> int:
    """Run the command with the terminal in its hands and return its exit status."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else taking the terminal back would stop us
    child = Popen(command, process_group=0)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGHUP, pass_on)
    status = 0
    running = True
    while running:
        os.tcsetpgrp(TERMINAL, child.pid)
        os.killpg(child.pid, signal.SIGCONT)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        os.tcsetpgrp(TERMINAL, os.getpgrp())
        running = os.WIFSTOPPED(status)
        if running:  # Ctrl-Z: stop make too, and go on when the shell says so
            os.killpg(0, signal.SIGTSTP)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def main(command: list[str]) -> int:
    """Run the command, in the foreground where there is one."""
    if not os.isatty(TERMINAL) or os.tcgetpgrp(TERMINAL) != os.getpgrp():
        os.execv(command[0], command)
    return run_in_foreground(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
