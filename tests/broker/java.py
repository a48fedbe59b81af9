"""The Java that runs the broker, and what may be missing on this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.broker.jars import are_fetched

#: What Kafka 4 runs on.
OLDEST_JAVA: Final = 17
_OPTIONS: Final = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker lives for seconds: compile fast rather than well
    "-XX:-UsePerfData",
    "-Dlog4j2.level=INFO",
)


def command(folder: Path, jars: Sequence[Path]) -> tuple[str, ...]:
    """Return the words before a main class; what Java writes by itself goes into the folder."""
    scratch = folder / "scratch"
    scratch.mkdir()
    return (
        program(),
        *_OPTIONS,
        f"-Djava.io.tmpdir={scratch}",
        f"-XX:ErrorFile={folder / 'java-error.log'}",
        "-cp",
        os.pathsep.join(map(str, jars)),
    )


def obstacle(*, secure: bool) -> str | None:
    """Return why no broker can be started on this machine, or nothing."""
    needed = [program()]
    if not are_fetched():
        needed.append("mvn")
    if secure:
        needed.append("openssl")
    missing = [name for name in needed if not shutil.which(name)]
    if missing:
        return f"no Kafka broker can be started here without {', '.join(missing)}"
    version = _version()
    if version < OLDEST_JAVA:
        return f"no Kafka broker can be started here: Java is {version}, not {OLDEST_JAVA} or newer"
    return None


def _version() -> int:
    """Return the major version, 0 if there is only a stub of Java."""
    said = subprocess.run(
        [program(), "-version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0


def program() -> str:
    """Return the java to run: that of JAVA_HOME, or the first of PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"
