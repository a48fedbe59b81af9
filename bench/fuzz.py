r"""Coverage-guided fuzzing of every log format, with atheris (not a dependency, not run by CI).

    uv venv fuzz && uv pip install --python fuzz/bin/python atheris -r requirements/run.txt
    fuzz/bin/python -m bench.fuzz formats -max_total_time=300
    fuzz/bin/python -m bench.fuzz patterns -max_total_time=300

`formats` puts any bytes into lines of any format: no exception, each row a line of its own in
order, and every line by itself as among the others. `patterns` compiles any text as a format
string of nginx, Apache or Envoy and reads a line with it. Further arguments are libFuzzer's.
"""

import importlib
import sys
from typing import Any

import polars as pl

atheris: Any = importlib.import_module("atheris")
with atheris.instrument_imports(include=["ingest"]):
    from ingest.formats import FORMATS, PATTERNS, Format, FormatError, compile_pattern
    from ingest.formats.declared import examples
    from ingest.formats.mixed import read_mixed
    from ingest.formats.parsed import PARSED_SCHEMA, Reading
    from ingest.formats.registry import DECLARED
    from ingest.lines import Lines

ENTRIES = list(FORMATS.values())
LINES = [example["line"].encode() for name in DECLARED for example in examples(name)]


def formats(data: bytes) -> None:
    """Read an example line into which `data` was put, as its own format, any other, or mixed.

    The first bytes say which example, which format, where the data goes, and how much it replaces.
    """
    if len(data) < 5:  # noqa: PLR2004
        return
    line = LINES[data[0] % len(LINES)]
    entry = ENTRIES[data[1] % len(ENTRIES)]
    start = data[2] * len(line) // 255
    lines = Lines.of(line[:start] + data[5:] + line[start + data[3] :] + b"\n" + line + b"\n")
    lines = lines.select(~lines.blank())

    def read(block: Lines) -> pl.DataFrame:
        if data[4] % 4:
            return entry.parse(block, Reading())
        return read_mixed(block, Reading(), entry, ENTRIES)

    frame = checked(read(lines), lines)
    if b"#" not in data and len(lines) <= 4:  # noqa: PLR2004
        for index in range(len(lines)):
            same(frame, index, read(Lines.of(lines[index] + b"\n")))


def checked(frame: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    if frame.schema != PARSED_SCHEMA:
        raise AssertionError("the schema is another")
    rows = frame["line"]
    if not (rows.is_sorted() and rows.is_unique().all() and (rows < len(lines)).all()):
        raise AssertionError("the rows are not one for each line, in order")
    return frame


def same(frame: pl.DataFrame, index: int, alone: pl.DataFrame) -> None:
    among = frame.filter(pl.col("line") == index).drop("line")
    if not among.equals(alone.drop("line")):
        raise AssertionError(f"line {index} depends on its neighbours")


def patterns(data: bytes) -> None:
    """Compile the first line of `data` as a pattern and read the others with it."""
    kind = PATTERNS[data[0] % len(PATTERNS)] if data else "nginx"
    pattern, _, lines = data[1:].partition(b"\n")
    try:
        entry: Format = compile_pattern(kind, pattern.decode(errors="replace"))
    except FormatError:
        return
    block = Lines.of(lines + b"\n")
    checked(entry.parse(block, Reading()), block)


TARGETS = {"formats": formats, "patterns": patterns}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:  # noqa: PLR2004
        raise SystemExit(f"say what to fuzz: {', '.join(TARGETS)}")
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, atheris.instrument_func(target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
