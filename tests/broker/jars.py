"""The broker's jars: fetched by Maven once, held to the committed list before every use.

    python -m tests.broker.jars [--lock]

Without --lock: fetch what is missing and check it. With --lock: write the list anew from
pom.xml, as `make broker-lock` does.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
POM: Final = HERE / "pom.xml"
LIST: Final = HERE / "jars.sha256"
#: Ignored by git, removed by `make clean`.
CACHE: Final = HERE.parents[1] / ".broker"

_FETCH_SECONDS: Final = 600


class JarsDifferError(Exception):
    """The jars in a folder are not those of the list."""


class FetchError(Exception):
    """Maven did not bring the jars."""


def digests_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder by its name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def read_list(text: str) -> dict[str, str]:
    """Return the digests by file name of a list as sha256sum writes it."""
    entries = (line.split("  ", 1) for line in text.splitlines() if line)
    return {name: digest for digest, name in entries}


def check(folder: Path, expected: dict[str, str]) -> None:
    """Compare a folder with a list.

    :raises JarsDifferError: names each jar that is missing, unknown or changed.
    """
    found = digests_of(folder)
    wrong = [
        *(f"missing: {name}" for name in expected.keys() - found.keys()),
        *(f"not in the list: {name}" for name in found.keys() - expected.keys()),
        *(
            f"changed: {name} has SHA-256 {found[name]}, the list says {expected[name]}"
            for name in found.keys() & expected.keys()
            if found[name] != expected[name]
        ),
    ]
    if wrong:
        raise JarsDifferError(
            f"{folder} does not hold the jars of tests/broker/jars.sha256:\n  "
            + "\n  ".join(sorted(wrong))
            + f"\nRemove {CACHE} to fetch them anew; after a change of tests/broker/pom.xml run "
            "make broker-lock and look at what changed before you commit it."
        )


def fetch(folder: Path) -> None:
    """Copy the jars that pom.xml resolves to into a new folder.

    :raises FetchError: with the end of what Maven said.
    """
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM)]
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    try:
        said = subprocess.run(
            [*command, *goal],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"Maven did not bring the broker in {_FETCH_SECONDS} s") from error
    if said.returncode or not folder.is_dir():
        tail = "\n".join((said.stdout + said.stderr).splitlines()[-15:])
        raise FetchError(f"Maven could not bring the broker of {POM}:\n{tail}")


def are_fetched() -> bool:
    """Tell whether the jars of the list are here, so that no Maven is needed."""
    return _place().exists()


def ready_jars() -> list[Path]:
    """Return the broker's jars, fetched if they are not here yet, and checked in any case.

    :raises FetchError: Maven could not bring them.
    :raises JarsDifferError: they are not those of the list.
    """
    expected = read_list(LIST.read_text(encoding="utf-8"))
    folder = _place()
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as beside:
            fetched = Path(beside) / "jars"
            fetch(fetched)
            check(fetched, expected)
            _put(fetched, folder)
    check(folder, expected)
    return [folder / name for name in sorted(expected)]


def _place() -> Path:
    """Return the folder of the jars of this very list."""
    return CACHE / hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]


def _put(fetched: Path, folder: Path) -> None:
    """Move a folder to its place, unless another run was faster."""
    try:
        fetched.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def lock() -> None:
    """Write the list of jars anew."""
    with tempfile.TemporaryDirectory() as beside:
        fetched = Path(beside) / "jars"
        fetch(fetched)
        lines = [f"{digest}  {name}\n" for name, digest in digests_of(fetched).items()]
    LIST.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lock", action="store_true", help="write the list anew")
    asked = parser.parse_args()
    try:
        if asked.lock:
            lock()
        print(f"{len(ready_jars())} jars are in place")
    except (FetchError, JarsDifferError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
