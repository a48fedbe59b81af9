"""Builds the site: python -m docs.website [--output build/site] [--check]

Exit status 1 if a link or anchor leads nowhere, or a page is in no navigation: all warnings of
Sphinx are errors. With --check only a few pages are written, after all have been looked at. Needs
no network.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from sphinx.cmd.build import build_main

from docs.website.navigation import ROOT
from docs.website.pages import write_pages

#: Pages that --check writes: of each kind one.
SAMPLE: Final = ("index.md", "concepts.md", "reference/routes.md", "runbooks/login_burst.md")


def main() -> int:
    """Build the site into the folder that is named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.website", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args()
    output: Path = told.output
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="vedette-site-") as folder:
        source = Path(folder) / "source"
        source.mkdir()
        broken = write_pages(source)
        sys.stderr.writelines(f"docs.website: {each}\n" for each in broken)
        status = 1 if broken else 0
        if told.check:
            status = _build("dummy", source, output) or status  # resolves links, writes nothing
            _build("html", source, output, SAMPLE)
            return status
        return _build("html", source, output) or status


def _build(builder: str, source: Path, output: Path, sample: tuple[str, ...] = ()) -> int:
    """Run Sphinx; of a sample it warns that not everything is there, so that is no error."""
    told = ["--quiet", "--keep-going", "--builder", builder]
    told += [] if sample else ["--fail-on-warning"]
    told += ["--conf-dir", str(Path(__file__).parent)]
    told += ["--doctree-dir", str(source.with_name("doctrees")), str(source), str(output)]
    return build_main([*told, *(str(source / page) for page in sample)])


if __name__ == "__main__":
    sys.exit(main())
