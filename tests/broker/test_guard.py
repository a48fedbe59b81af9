"""Nothing that tests start is left behind, however they end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Starts a child that holds our pipe open, guards it, and waits for kill -9.
OWNER = """
import signal, subprocess, sys
from tests.broker.guard import Guard
child = subprocess.Popen(["sleep", "30"])
guard = Guard(child.pid)
print("guarded", flush=True)
signal.pause()
"""


def test_the_child_of_a_killed_process_ends() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE)
    assert owner.stdout
    with owner.stdout as output:
        assert output.readline() == b"guarded\n"
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        # The end of the output is the end of the child, which still has it open.
        assert output.read() == b""
