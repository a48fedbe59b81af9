"""Suggestions as lines of settings, and as a difference of a settings file."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence

from alerts.lists.decided import Decided
from ingest.times import iso
from vedette.suggestions.detectors import Scored
from vedette.suggestions.exceptions import Excepted


def lines_of(scores: Sequence[Scored], excepted: Sequence[Excepted]) -> list[str]:
    """Return what to write into a settings file that says nothing about these detectors."""
    lines: list[str] = []
    for each in scores:
        if each.proposed is not None:
            lines += ["", *_told(each), f"[detectors.{each.detector}]", _threshold(each.proposed)]
    for one in excepted:
        lines += ["", *_exception(one)]
    return lines[1:]


def difference_of(
    text: str, name: str, scores: Sequence[Scored], excepted: Sequence[Excepted]
) -> str:
    """Return the unified difference that writes suggestions into the text of a settings file.

    Where the file has these detectors in a form that tables cannot be added to (a table on one
    line, say), the lines to be written by hand instead.
    """
    lines = text.splitlines()
    rest: list[Scored] = []
    for each in scores:
        if each.proposed is None:
            continue
        place = _table(lines, each.detector)
        if place is None:
            rest.append(each)
        else:
            _set(lines, place, each.proposed)
    added = lines_of(rest, excepted)
    if added:
        lines += ["", *added]
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        by_hand = f"# To be merged by hand: {name} has these detectors in another form"
        return "\n".join([by_hand, *lines_of(scores, excepted)])
    changed = difflib.unified_diff(text.splitlines(), lines, name, name, lineterm="")
    return "\n".join(changed)


def _table(lines: Sequence[str], detector: str) -> int | None:
    """Return the line of a detector's own table."""
    quoted = rf"(?:{re.escape(detector)}|\"{re.escape(detector)}\")"
    header = re.compile(rf"\s*\[\s*detectors\s*\.\s*{quoted}\s*\]\s*(?:#.*)?")
    return next((n for n, line in enumerate(lines) if header.fullmatch(line)), None)


def _set(lines: list[str], place: int, limit: int) -> None:
    """Write a limit into the table that begins at a line."""
    for number in range(place + 1, len(lines)):
        if lines[number].lstrip().startswith("["):
            break
        if re.match(r"\s*threshold\s*=", lines[number]):
            lines[number] = _threshold(limit)
            return
    lines.insert(place + 1, _threshold(limit))


def _threshold(limit: int) -> str:
    return f"threshold = {limit}"


def _told(each: Scored) -> Iterator[str]:
    judged = len(each.attacks) + len(each.harmless)
    yield (
        f"# {len(each.harmless)} of {judged} incidents that people judged were false alarms"
        f" (precision {each.precision:.2f})"
    )
    yield f"# spares {_numbers(each.spared)}; loses {_numbers(each.lost) or 'no attack'}" + (
        f"; of others {_numbers(each.unknown)}" if each.unknown else ""
    )


def _exception(one: Excepted) -> Iterator[str]:
    yield f"[[detectors.{one.detector}.exceptions]]"
    yield f"{one.key} = {json.dumps(one.value, ensure_ascii=False)}"
    yield f'until = "{iso(one.until)}"'
    yield f"why = {json.dumps(one.why, ensure_ascii=False)}"


def _numbers(incidents: Sequence[Decided]) -> str:
    numbers = [str(each.id) for each in incidents]
    return f"incident{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""
