"""Entry point: checks that the packages are ours, then runs the command line."""

import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ingest", "detectors", "alerts", "api")


def strangers() -> list[str]:
    """Return complaints about packages of our names that are somebody else's.

    The names are generic: another project's `api` in the current folder would hide ours.
    """
    home = Path(__file__).resolve().parent.parent
    complaints = []
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            complaints.append(
                f"the package {name!r} comes from {origin or 'nowhere'}, not from {home}; start "
                "vedette from another folder, or clear PYTHONPATH, or reinstall it"
            )
    return complaints


def main() -> None:
    """Run vedette; Ctrl-C at any moment, imports included, ends it without a traceback."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.stderr.write("vedette: interrupted\n")
        raise SystemExit(130) from None


def _run() -> None:
    complaints = strangers()
    if complaints:
        sys.stderr.write("vedette: " + "\nvedette: ".join(complaints) + "\n")
        raise SystemExit(1)
    # Imports and frames make many objects that stay: at the default the collector looks at them
    # all again and again, which costs a seventh of the start-up.
    gc.set_threshold(50_000, 20, 20)
    # Polars' allocator, which reads this as it is loaded, else keeps free memory in many places.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1")
    from vedette.cli import cli

    cli()


if __name__ == "__main__":
    main()
