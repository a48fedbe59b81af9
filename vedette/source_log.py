"""What people are told of sources: which formats were found, what fails, what works again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, Protocol

from ingest.formats.detection import Detection
from ingest.masking import printable
from ingest.sources import Source

#: How often the service looks for what is new, in seconds.
EVERY: Final = 1.0

#: Problems told at one look at most.
AT_ONCE: Final = 20

#: Next best formats named.
_NEXT: Final = 2


class Log(Protocol):
    """The two methods of a structlog logger that are used."""

    def info(self, event: str, **values: object) -> Any:  # noqa: ANN401 - as structlog has it
        """Log what is well."""
        ...

    def warning(self, event: str, **values: object) -> Any:  # noqa: ANN401
        """Log what is not."""
        ...


def formats_found(
    detections: Mapping[str, Detection], sources: Sequence[Source] = ()
) -> dict[str, str]:
    """Return per format how many logs have it and how sure that is, in words.

    "3 logs, at least 98 % of their first lines; next: common 97 %". Formats that the sources'
    settings name were not guessed, and are told so. Logs of no known format are left out: those
    are among the problems.
    """
    named = {"json" if source.mapping else source.format for source in sources} - {"auto"}
    by_format: dict[str, list[Detection]] = {}
    for found in detections.values():
        if found.format is not None:
            by_format.setdefault(found.format, []).append(found)
    return {name: _in_words(found, set_=name in named) for name, found in by_format.items()}


def _in_words(found: Sequence[Detection], *, set_: bool) -> str:
    many = len(found) > 1
    logs = _logs(len(found))
    least = min(entry.confidence for entry in found)
    best: dict[str, float] = {}
    for entry in found:
        for name, share in entry.runners_up:
            best[name] = max(best.get(name, 0.0), share)
    if set_ and least == 1.0 and not best:
        return f"{logs}, as the settings say"
    sure = "all" if least == 1.0 else f"{'at least ' if many else ''}{_percent(least)}"
    text = f"{logs}, {sure} of {'their' if many else 'its'} first lines"
    ranked = sorted(best.items(), key=lambda entry: (-entry[1], entry[0]))[:_NEXT]
    nearest = ", ".join(f"{name} {_percent(share)}" for name, share in ranked)
    return f"{text}; next: {nearest}" if nearest else text


def _logs(count: int) -> str:
    return "1 log" if count == 1 else f"{count:,} logs"


def _percent(share: float) -> str:
    """Return a share in words that do not call nearly all all, or little nothing."""
    return f"{min(max(round(100 * share), 1), 100 if share == 1.0 else 99)} %"


class SourceLog:
    """Logs each format and each problem when it is new, and each problem that is over, once.

    `known` are problems that were told in another way, `earlier` the formats of logs that were
    known before anything was read: from the settings, or from before a restart.
    """

    def __init__(
        self,
        log: Log,
        sources: Sequence[Source],
        known: Sequence[str] = (),
        earlier: Mapping[str, Detection] = MappingProxyType({}),
    ) -> None:
        self._log = log
        self._sources = tuple(sources)
        self._problems = dict.fromkeys(known)
        self._formats: dict[str, str | None] = {}
        self._earlier = dict(earlier)
        self._next_look = 0.0

    def due(self) -> bool:
        """Whether it is time for a look."""
        return monotonic() >= self._next_look

    def look(self, problems: Sequence[str], detections: Mapping[str, Detection]) -> None:
        """Log what is new since the last look."""
        self._next_look = monotonic() + EVERY
        new = {
            name: found
            for name, found in detections.items()
            if found.format is not None and self._formats.get(name) != found.format
        }
        self._formats = {name: found.format for name, found in detections.items()}
        before = {place: new.pop(place) for place in self._earlier.keys() & new.keys()}
        self._earlier = {}
        for guessed, words in formats_found(new, self._sources).items():
            self._tell_format(guessed, words, new)
        for name, count in Counter(found.format for found in before.values()).items():
            self._tell_format(name, f"{_logs(count)}, as settings or an earlier run say", before)
        self._tell_problems(dict.fromkeys(problems))

    def _tell_format(
        self, name: str | None, words: str, detections: Mapping[str, Detection]
    ) -> None:
        first = next(place for place, found in detections.items() if found.format == name)
        self._log.info("log format", format=name, found_in=words, such_as=printable(first))

    def _tell_problems(self, problems: dict[str, None]) -> None:
        begun = [problem for problem in problems if problem not in self._problems]
        over = [problem for problem in self._problems if problem not in problems]
        for problem in begun[:AT_ONCE]:
            self._log.warning("source problem", reason=printable(problem))
        if len(begun) > AT_ONCE:
            self._log.warning("more source problems", count=len(begun) - AT_ONCE, see="/readyz")
        for problem in over[:AT_ONCE]:
            self._log.info("source problem over", reason=printable(problem))
        self._problems = problems
