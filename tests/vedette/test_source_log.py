"""What people are told of sources: formats, how sure they are, problems that come and go."""

from collections.abc import Mapping, Sequence

import pytest

from ingest.formats.detection import Detection
from ingest.sources import FileSource
from vedette import source_log
from vedette.source_log import AT_ONCE, SourceLog, formats_found

COMBINED = Detection("combined", 1.0)
DOUBTFUL = Detection("traefik", 0.984, (("combined", 0.97), ("common", 0.971), ("json", 0.001)))
UNKNOWN = Detection(None, 0.0)


class Heard:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, object]]] = []

    def info(self, event: str, **values: object) -> None:
        self.lines.append((event, values))

    warning = info

    def take(self) -> list[str]:
        """The events since the last time."""
        events = [event for event, _ in self.lines]
        self.lines = []
        return events


def teller(heard: Heard, known: Sequence[str] = ()) -> SourceLog:
    return SourceLog(heard, [FileSource(paths=("a.log",))], known)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([COMBINED], {"combined": "1 log, all of its first lines"}),
        (
            [DOUBTFUL],
            {"traefik": "1 log, 98 % of its first lines; next: common 97 %, combined 97 %"},
        ),
        (
            [COMBINED, Detection("combined", 0.9999)],
            {"combined": "2 logs, at least 99 % of their first lines"},
        ),
        (
            [Detection("iis", 1.0, (("w3c", 0.001),))],
            {"iis": "1 log, all of its first lines; next: w3c 1 %"},
        ),
        ([UNKNOWN, COMBINED], {"combined": "1 log, all of its first lines"}),
        ([], {}),
    ],
)
def test_formats_are_told_with_how_sure_they_are(
    found: Sequence[Detection], words: Mapping[str, str]
) -> None:
    assert formats_found({str(n): entry for n, entry in enumerate(found)}) == words


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (FileSource(paths=("a",), format="combined"), "combined"),
        (FileSource(paths=("a",), mapping={"status": "code"}), "json"),
    ],
)
def test_what_the_settings_say_is_not_called_a_guess(source: FileSource, name: str) -> None:
    found = {"a": Detection(name, 1.0), "b": Detection("iis", 1.0)}
    assert formats_found(found, [source]) == {
        name: "1 log, as the settings say",
        "iis": "1 log, all of its first lines",
    }


def test_a_format_is_logged_once_and_again_when_it_changes() -> None:
    heard = Heard()
    log = teller(heard)
    log.look([], {"a": COMBINED, "b": COMBINED, "c": UNKNOWN})
    assert heard.lines == [
        (
            "log format",
            {
                "format": "combined",
                "found_in": "2 logs, all of their first lines",
                "such_as": "a",
            },
        )
    ]
    heard.take()
    log.look([], {"a": COMBINED, "b": COMBINED, "c": UNKNOWN})
    assert heard.take() == []
    log.look([], {"a": COMBINED, "b": DOUBTFUL, "c": COMBINED})
    assert {values["such_as"] for _, values in heard.lines} == {"b", "c"}


def test_a_format_known_from_before_is_not_called_a_guess() -> None:
    heard = Heard()
    known = {"a": COMBINED, "b": COMBINED}
    log = SourceLog(heard, [FileSource(paths=("a.log",))], earlier=known)
    log.look([], {**known, "c": COMBINED})
    assert {values["found_in"] for _, values in heard.lines} == {
        "2 logs, as settings or an earlier run say",
        "1 log, all of its first lines",
    }
    heard.take()
    log.look([], {**known, "c": COMBINED})
    assert heard.take() == []


def test_a_problem_is_logged_when_it_comes_and_when_it_is_over() -> None:
    heard = Heard()
    log = teller(heard, known=["told at the start"])
    log.look(["told at the start", "new\x1b[2J"], {})
    assert heard.lines == [("source problem", {"reason": "new\\x1b[2J"})]
    heard.take()
    log.look(["told at the start"], {})
    assert heard.take() == ["source problem over"]
    log.look([], {})
    assert heard.lines == [("source problem over", {"reason": "told at the start"})]


def test_very_many_problems_do_not_flood_the_log() -> None:
    heard = Heard()
    log = teller(heard)
    log.look([f"problem {n}" for n in range(500)], {})
    assert heard.take() == ["source problem"] * AT_ONCE + ["more source problems"]
    log.look([], {})
    assert len(heard.take()) == AT_ONCE


def test_it_looks_once_in_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(source_log, "monotonic", lambda: now)
    log = teller(Heard())
    assert log.due()
    log.look([], {})
    assert not log.due()
    now += source_log.EVERY
    assert log.due()
