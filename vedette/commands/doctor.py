"""vedette doctor: what is wrong with this installation, and what to do."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from ingest.masking import printable, printable_json
from vedette.doctor.examination import Examined, examine
from vedette.doctor.remark import Remark
from vedette.failures import FAILED, reports_failures
from vedette.screen import note, terminal

_STYLES: Final = {"ok": "green", "warn": "bold yellow", "fail": "bold red", "skipped": "dim"}


@reports_failures
def run_doctor(config: Path | None, *, as_json: bool) -> int:
    """Look at everything and print how it is; 1 if something fails."""
    found = examine(config)
    if as_json:
        for entry in found:
            sys.stdout.write(printable_json(_plain(entry)) + "\n")
    else:
        console = terminal()
        console.print(_table(found))
        note(console, _verdict(found))
    return FAILED if any(entry.status == "fail" for entry in found) else 0


def _plain(entry: Examined) -> str:
    remarks = [
        {"status": remark.status, "seen": remark.seen, "advice": remark.advice or None}
        for remark in entry.remarks
    ]
    return json.dumps({"check": entry.name, "status": entry.status, "remarks": remarks})


def _table(found: Sequence[Examined]) -> Table:
    table = Table(header_style="bold", show_lines=False, box=None, padding=(0, 1))
    table.add_column("check", no_wrap=True)
    table.add_column("is", no_wrap=True)
    table.add_column("what was seen, and what to do", ratio=1, overflow="fold")
    for entry in found:
        for number, remark in enumerate(entry.remarks):
            name = entry.name if not number else ""
            table.add_row(name, Text(remark.status, _STYLES[remark.status]), _words(remark))
    return table


def _words(remark: Remark) -> Text:
    text = Text(printable(remark.seen), style="dim" if remark.status == "skipped" else "")
    if remark.advice:
        text.append(f"\n-> {printable(remark.advice)}", style="bold")
    return text


def _verdict(found: Sequence[Examined]) -> str:
    counts = Counter(remark.status for entry in found for remark in entry.remarks)
    if counts["fail"]:
        return f"{counts['fail']} to mend, {counts['warn']} to look at."
    return f"Nothing fails; {counts['warn']} to look at." if counts["warn"] else "All is well."
