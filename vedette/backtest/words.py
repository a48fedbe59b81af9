"""A comparison in words and rows of figures, for every form in which it is shown."""

from collections.abc import Iterator
from datetime import timedelta

from vedette.backtest.comparing import Comparison, Difference
from vedette.evaluation.tables import duration, share


def headline(compared: Comparison) -> str:
    """Say in a sentence or two what the change would have done."""
    gained, lost, changed = (len(compared.only(kind)) for kind in ("gained", "lost", "changed"))
    if not (gained or lost or changed):
        return f"Nothing changes: the same {_incidents(compared.unchanged)}."
    parts = [f"{gained:,} gained", f"{lost:,} lost", f"{changed:,} changed"]
    words = f"{', '.join(parts)}, {compared.unchanged:,} as before."
    if compared.missed:
        count = len(compared.missed)
        attacks = "attack that was found is" if count == 1 else "attacks that were found are"
        words += f" {count} {attacks} no longer found."
    return words


def figure_rows(compared: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """Yield rows: what it is, before, after, the difference."""
    before, after = compared.before, compared.after
    yield _whole("incidents", before.incidents, after.incidents)
    if before.a_day is not None and after.a_day is not None:
        difference = after.a_day - before.a_day
        yield "a day", f"{before.a_day:.1f}", f"{after.a_day:.1f}", _signed(difference, ".1f")
    if not compared.labels:
        return
    yield _whole("attacks", before.by_label["attack"], after.by_label["attack"])
    yield _whole("false alarms", before.by_label["false alarm"], after.by_label["false alarm"])
    for label in ("unsure", "unknown"):
        if before.by_label[label] or after.by_label[label]:
            yield _whole(label, before.by_label[label], after.by_label[label])
    yield _share("precision", before.precision, after.precision)
    if before.attacks:
        found = [f"{side.found} of {side.attacks}" for side in (before, after)]
        yield "attacks found", found[0], found[1], _signed(after.found - before.found, ",")
        yield _share("recall", before.recall, after.recall)


def verdict_of(each: Difference) -> str:
    """Return what is known of a difference: its label, and the name of what it was."""
    if each.known.label == "unknown":
        return "-"
    return f"{each.known.label}: {each.known.name}" if each.known.name else each.known.label


def span_of(each: Difference) -> str:
    """Return when it was, and how long."""
    length = each.last_at - each.started_at
    lasted = f" ({duration(length.total_seconds())})" if length >= timedelta(seconds=1) else ""
    return f"{each.started_at:%Y-%m-%d %H:%M:%S}{lasted}"


def about(compared: Comparison) -> str:
    """Say what was looked at."""
    span = ""
    if compared.span is not None:
        first, last = compared.span
        span = f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    return f"{compared.events:,} events in {duration(compared.days * 86_400)}{span}"


def _incidents(count: int) -> str:
    return "incident" if count == 1 else f"{count:,} incidents"


def _whole(name: str, before: int, after: int) -> tuple[str, str, str, str]:
    return name, f"{before:,}", f"{after:,}", _signed(after - before, ",")


def _share(name: str, before: float | None, after: float | None) -> tuple[str, str, str, str]:
    known = before is not None and after is not None
    difference = _signed(after - before, ".3f") if known else "-"  # type: ignore[operator]
    return name, share(before), share(after), difference


def _signed(number: float, form: str) -> str:
    text = f"{number:{form}}"
    return text if text.startswith("-") or not float(text.replace(",", "")) else f"+{text}"
