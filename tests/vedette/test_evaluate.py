"""Evaluation: what counts as found, right, false and when; the command from log to figures."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.catalogue import Catalogue, load_catalogue
from detectors.detection import Detection
from detectors.findings import EntityType, Finding, Level, Mode
from ingest.events import BATCH_SCHEMA, Batch
from ingest.pseudonyms import Pseudonyms
from vedette.commands.evaluate import run_evaluation
from vedette.evaluation.doubts import doubts
from vedette.evaluation.episodes import (
    Episode,
    Kind,
    TruthError,
    disguised,
    episodes_of,
    read_episodes,
)
from vedette.evaluation.matching import Alarm, Matched, match
from vedette.evaluation.report import report
from vedette.evaluation.trial import Trial
from vedette.simulation import simulate, write

from .scans import START, combined, micros, written

WINDOW = timedelta(minutes=1)
DAY = 1.0


def after(seconds: float) -> datetime:
    """A time so many seconds after START."""
    return START + timedelta(seconds=seconds)


def episode(
    first: float,
    last: float,
    *entities: tuple[EntityType, str],
    kind: Kind = "attack",
    name: str = "scan",
    detectors: tuple[str, ...] = ("scan",),
    members: tuple[str, ...] = (),
    intensity: str | None = None,
) -> Episode:
    """An attack by 203.0.113.7 unless said otherwise."""
    return Episode(
        name=name,
        kind=kind,
        entities=frozenset(entities or {("client", "203.0.113.7")}),
        started_at=after(first),
        ended_at=after(last),
        detectors=detectors,
        intensity=intensity,
        members=frozenset(members),
    )


def finding(
    first: float,
    last: float,
    at: float | None = None,
    *,
    entity: tuple[EntityType, str] = ("client", "203.0.113.7"),
    detector: str = "scan",
    mode: Mode = "alert",
) -> Finding:
    """A finding about 203.0.113.7 unless said otherwise, known at its end."""
    return Finding(
        detector=detector,
        entity_type=entity[0],
        entity=entity[1],
        first=after(first),
        last=after(last),
        value=10,
        threshold=5,
        unit="requests",
        window=WINDOW,
        level=Level.MEDIUM,
        mode=mode,
        reached=None if at is None else after(at),
    )


def alarm(
    first: float,
    last: float,
    entity: tuple[EntityType, str] = ("client", "203.0.113.7"),
    *,
    members: tuple[str, ...] = (),
    child: bool = False,
) -> Alarm:
    """An incident about 203.0.113.7 unless said otherwise."""
    return Alarm(
        entity=entity,
        detectors=("scan",),
        started_at=after(first),
        last_at=after(last),
        window=WINDOW,
        members=frozenset(members),
        child=child,
    )


def verdicts(matched: Matched) -> list[str]:
    return [outcome.verdict for outcome in matched.alarms]


class TestWhatCounts:
    @pytest.mark.parametrize(
        ("first", "last", "about"),
        [
            (100, 200, True),
            (0, 99, True),  # a second is allowed for logs of whole seconds
            (0, 98.9, False),
            (260, 300, True),  # one window after the last request
            (260.1, 300, False),
        ],
    )
    def test_spans_must_overlap_up_to_one_window_after(
        self, first: float, last: float, about: bool
    ) -> None:
        matched = match([episode(100, 200)], [alarm(first, last)], [], DAY)
        assert matched.attacks[0].found is about
        assert verdicts(matched) == (["attack"] if about else ["false"])

    def test_another_entity_is_a_false_alarm_and_finds_nothing(self) -> None:
        matched = match([episode(0, 60)], [alarm(0, 60, ("client", "203.0.113.8"))], [], DAY)
        assert verdicts(matched) == ["false"]
        assert not matched.attacks[0].found

    def test_a_client_is_no_user_of_that_name(self) -> None:
        matched = match([episode(0, 60)], [alarm(0, 60, ("user", "203.0.113.7"))], [], DAY)
        assert verdicts(matched) == ["false"]

    def test_an_accepted_entity_counts(self) -> None:
        attack = episode(0, 60, ("client", "203.0.113.7"), ("user", "ann"))
        matched = match([attack], [alarm(0, 60, ("user", "ann"))], [], DAY)
        assert verdicts(matched) == ["attack"]
        assert matched.attacks[0].found

    def test_an_incident_about_something_benign_is_a_false_alarm_with_a_name(self) -> None:
        matched = match([episode(0, 60, kind="benign", name="crawler")], [alarm(0, 60)], [], DAY)
        assert verdicts(matched) == ["false"]
        assert matched.alarms[0].about == "crawler"

    def test_what_is_unsure_is_neither_right_nor_wrong(self) -> None:
        told, found = [alarm(0, 60)], [finding(0, 60)]
        matched = match([episode(0, 60, kind="unsure")], told, found, DAY)
        assert verdicts(matched) == ["unsure"]
        assert matched.attacks == ()
        assert matched.findings == ()
        figures = report(matched)
        assert (figures.incidents, figures.others, figures.precision) == (0, 1, None)

    def test_members_of_what_is_unsure_are_unsure(self) -> None:
        fleet = episode(0, 60, ("api_key", "k"), kind="unsure", members=("203.0.113.7",))
        matched = match([fleet], [alarm(0, 60)], [finding(0, 60)], DAY)
        assert verdicts(matched) == ["unsure"]
        assert matched.findings == ()

    def test_a_monitored_finding_finds_nothing_but_is_scored(self) -> None:
        matched = match([episode(0, 60)], [], [finding(0, 60, mode="monitor")], DAY)
        assert not matched.attacks[0].found
        assert matched.findings[0].right

    def test_a_finding_of_a_detector_that_is_not_listed_is_right_and_says_so(self) -> None:
        matched = match([episode(0, 60)], [], [finding(0, 60, detector="other")], DAY)
        (score, other) = sorted(report(matched).by_detector, key=lambda s: s.detector == "other")
        assert (other.right, other.unlisted, other.precision) == (1, 1, 1.0)
        assert (score.detector, score.recall.found, score.recall.attacks) == ("scan", 0, 1)


class TestDistributed:
    ROUTE: tuple[EntityType, str] = ("route", "POST /login")

    def attack(self, members: tuple[str, ...] = ()) -> Episode:
        return episode(0, 600, self.ROUTE, members=members)

    def test_members_that_the_truth_names_are_parts(self) -> None:
        told = [alarm(0, 600, self.ROUTE), alarm(30, 60)]
        matched = match([self.attack(("203.0.113.7",))], told, [finding(30, 60)], DAY)
        assert verdicts(matched) == ["attack", "part"]
        assert matched.findings[0].right

    def test_members_that_the_incident_counted_are_parts(self) -> None:
        told = [alarm(30, 60), alarm(0, 600, self.ROUTE, members=("203.0.113.7",))]
        matched = match([self.attack()], told, [finding(30, 60)], DAY)
        assert verdicts(matched) == ["part", "attack"]
        assert matched.findings[0].right

    def test_members_of_a_false_alarm_stay_false(self) -> None:
        told = [alarm(30, 60), alarm(0, 600, ("route", "GET /"), members=("203.0.113.7",))]
        assert verdicts(match([self.attack()], told, [], DAY)) == ["false", "false"]

    def test_a_member_at_another_time_is_a_false_alarm(self) -> None:
        told = [alarm(0, 600, self.ROUTE, members=("203.0.113.7",)), alarm(5_000, 5_060)]
        assert verdicts(match([self.attack()], told, [], DAY)) == ["attack", "false"]

    def test_children_are_no_false_alarms_and_find_their_own_attack(self) -> None:
        told = [alarm(0, 600, self.ROUTE), alarm(30, 60, child=True)]
        matched = match([self.attack(), episode(30, 60)], told, [], DAY)
        assert verdicts(matched) == ["attack", "part"]
        assert all(attack.found for attack in matched.attacks)

    def test_a_member_alone_does_not_find_the_attack(self) -> None:
        matched = match([self.attack(("203.0.113.7",))], [alarm(30, 60)], [], DAY)
        assert not matched.attacks[0].found


class TestFigures:
    def test_time_to_detect_is_from_the_first_request_to_the_first_report(self) -> None:
        found = [finding(10, 90, 45), finding(20, 90, 30, detector="other")]
        attack = match([episode(0, 90)], [], found, DAY).attacks[0]
        assert (attack.seconds, attack.window_seconds) == (30.0, 60.0)
        assert attack.by == ("other", "scan")

    def test_what_was_going_on_before_took_no_time(self) -> None:
        matched = match([episode(0, 90)], [], [finding(-60, 90, -30)], DAY)
        assert matched.attacks[0].seconds == 0.0

    def test_all_figures_of_a_small_case(self) -> None:
        episodes = [
            episode(0, 60, intensity="weak"),
            episode(1_000, 1_060, ("client", "203.0.113.8"), intensity="strong"),
            episode(2_000, 2_060, ("client", "203.0.113.9"), intensity="strong"),
        ]
        found = [
            finding(0, 60, 30),
            finding(1_000, 1_060, 1_090, entity=("client", "203.0.113.8")),
            finding(5_000, 5_060, entity=("client", "203.0.113.1")),
        ]
        told = [
            alarm(0, 60),
            alarm(1_000, 1_060, ("client", "203.0.113.8")),
            alarm(5_000, 5_060, ("client", "203.0.113.1")),
        ]
        figures = report(match(episodes, told, found, 0.5))
        assert (figures.overall.found, figures.overall.attacks) == (2, 3)
        assert figures.precision == pytest.approx(2 / 3)
        assert (figures.incidents_a_day, figures.false_alarms_a_day) == (6.0, 2.0)
        assert figures.overall.delay is not None
        assert figures.overall.delay.median_seconds == 60.0
        assert figures.overall.delay.worst_seconds == 90.0
        assert figures.overall.delay.median_windows == 1.0
        assert {name: r.recall for name, r in figures.by_intensity.items()} == {
            "weak": 1.0,
            "strong": 0.5,
        }
        assert [attack.entity for attack in figures.missed] == ["203.0.113.9"]
        assert [false.entity for false in figures.false] == ["203.0.113.1"]
        (score,) = figures.by_detector
        assert score.precision == pytest.approx(2 / 3)
        assert score.false_alarms_a_day == 2.0
        assert json.loads(json.dumps(figures.to_dict()))["overall"]["found"] == 2

    def test_nothing_at_all(self) -> None:
        figures = report(match([], [], [], 0.0))
        assert (figures.precision, figures.overall.recall) == (None, None)
        assert (figures.incidents_a_day, figures.overall.delay) == (None, None)

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500), st.integers(0, 100))),
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500), st.integers(0, 100))),
    )
    @settings(max_examples=60, deadline=None)
    def test_shares_lie_between_0_and_1_and_order_changes_nothing(
        self, attacks: list[tuple[int, int, int]], claims: list[tuple[int, int, int]]
    ) -> None:
        episodes = [episode(t, t + n, ("client", f"192.0.2.{who}")) for who, t, n in attacks]
        told = [alarm(t, t + n, ("client", f"192.0.2.{who}")) for who, t, n in claims]
        found = [finding(t, t + n, entity=("client", f"192.0.2.{who}")) for who, t, n in claims]
        figures = report(match(episodes, told, found, DAY))
        again = report(match(episodes[::-1], told[::-1], found[::-1], DAY))
        for share in (figures.precision, figures.overall.recall):
            assert share is None or 0.0 <= share <= 1.0
        assert figures.overall == again.overall
        assert figures.precision == again.precision
        assert figures.by_detector == again.by_detector
        if not episodes and told:
            assert figures.precision == 0.0


class TestDoubts:
    SPAN = after(0), after(3_600)

    def test_what_fits_is_not_doubted(self) -> None:
        rows = [episode(0, 60), episode(-900, -800, kind="benign")]
        assert list(doubts(rows, ["scan"], self.SPAN)) == []

    def test_no_rows(self) -> None:
        (told,) = doubts([], ["scan"], self.SPAN)
        assert "no rows" in told

    def test_attacks_of_another_time(self) -> None:
        rows = [episode(0, 60), episode(7_200, 7_260, name="tomorrow")]
        (told,) = doubts(rows, ["scan"], self.SPAN)
        assert told.startswith("1 of 2 attacks are not in the log")
        assert "tomorrow" in told

    def test_a_detector_that_is_not_active(self) -> None:
        (told,) = doubts([episode(0, 60, detectors=("scam",))], ["scan"], self.SPAN)
        assert "did you mean 'scan'?" in told


class TestTruthFiles:
    @pytest.mark.parametrize("head", ["client,203.0.113.7", "entity_type;entity;from;to;label", ""])
    def test_a_csv_needs_its_header(self, head: str, tmp_path: Path) -> None:
        file = tmp_path / "truth.csv"
        file.write_text(f"{head}\n", encoding="utf-8")
        with pytest.raises(TruthError, match=r"truth\.csv:1: the header lacks entity_type"):
            read_episodes(file)

    def test_a_csv_of_ones_own(self, tmp_path: Path) -> None:
        file = tmp_path / "truth.csv"
        file.write_text(
            "entity_type,entity,from,to,label,name\n"
            "client, 2001:DB8::7 ,2026-11-02T08:00:00,2026-11-02T08:10:00+01:00,benign,\n"
            'network,203.0.113.7/24,2026-11-02T08:00:00Z,2026-11-02T09:00:00Z,Attack,"a, b"\n',
            encoding="utf-8",
        )
        # 08:10+01:00 is before 08:00 UTC
        with pytest.raises(TruthError, match=r"truth\.csv:2: it ends before it begins"):
            read_episodes(file)
        file.write_text(file.read_text().replace("+01:00", "Z"))
        first, second = read_episodes(file)
        assert first.entities == {("client", "2001:db8::7")}
        assert (first.kind, second.kind) == ("benign", "attack")
        assert second.entities == {("network", "203.0.113.0/24")}
        assert (second.name, second.started_at) == ("a, b", datetime(2026, 11, 2, 8, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("not json", "not a JSON object"),
            ("[1]", "not a JSON object"),
            ('{"entity_type": "client"}', "entity: is needed"),
            (
                (
                    '{"entity_type": "client", "entity": "nobody", "from": "2026-11-02", '
                    '"to": "2026-11-02", "label": "attack"}'
                ),
                "'nobody' does not appear to be an IPv4 or IPv6 address",
            ),
            (
                (
                    '{"entity_type": "user", "entity": "ann", "from": "yesterday", '
                    '"to": "2026-11-02", "label": "attack"}'
                ),
                "from: must be a date and time, as in 2026-11-02T08:10:00Z",
            ),
            (
                (
                    '{"entity_type": "user", "entity": "ann", "from": "2026-11-02", '
                    '"to": "2026-11-02", "label": "evil"}'
                ),
                "label: ",
            ),
        ],
    )
    def test_a_mistake_is_told_with_its_line(self, line: str, says: str, tmp_path: Path) -> None:
        file = tmp_path / "truth.jsonl"
        file.write_text(f"\n{line}\n", encoding="utf-8")
        with pytest.raises(TruthError) as caught:
            read_episodes(file)
        assert f"{file}:2: " in str(caught.value)
        assert says in str(caught.value)
        assert "docs/evaluation.md" in str(caught.value)

    def test_what_the_simulator_writes_is_read(self, tmp_path: Path) -> None:
        run = simulate(2, START, timedelta(minutes=20), requests_per_second=1)
        write(run, tmp_path)
        assert read_episodes(tmp_path / "truth.jsonl")
        assert {e.name for e in episodes_of(run.truth)} == {row.scenario for row in run.truth}

    def test_keys_and_people_are_named_as_incidents_name_them(self) -> None:
        pseudonyms = Pseudonyms(b"s" * 32, frozenset({"client_ip"}))
        attack = episode(0, 1, ("api_key", "k1"), ("client", "203.0.113.7"), ("user", "ann"))
        (hashed,) = disguised([attack], pseudonyms, {"client_ip"})
        key = pseudonyms.pseudonym("api_key", "k1")
        client = pseudonyms.pseudonym("client_ip", "203.0.113.7")
        assert hashed.entities == {("api_key", key), ("client", client), ("user", "ann")}
        assert disguised([hashed], pseudonyms, {"client_ip"}) == [hashed]


def events(seconds: list[float], status: int = 401) -> pl.DataFrame:
    """Requests by 203.0.113.7 at these times."""
    rows = [
        {
            "timestamp": after(second),
            "effective_time": after(second),
            "windowed": True,
            "edge": True,
            "client_ip": "203.0.113.7",
            "method": "GET",
            "path": "/a",
            "route": "GET /a",
            "status": status,
            "user_agent": "curl",
            "partition": "p",
            "position": number,
        }
        for number, second in enumerate(seconds)
    ]
    return pl.DataFrame(rows, schema=BATCH_SCHEMA)


def known_after(cuts: list[int], seconds: list[float]) -> float:
    """How long it took until 30 refused requests could be known, with batches cut there."""
    catalogue = load_catalogue()
    rule = catalogue.rule("auth_failure_burst")
    attack = episode(seconds[0], seconds[-1], detectors=(rule.name,))
    trial = Trial(Detection(Catalogue((rule,), "test"), prompt=False), [attack])
    frame = events(seconds)
    for first, last in zip([0, *cuts], [*cuts, frame.height], strict=True):
        batch = Batch(frame[first:last], micros(after(seconds[last - 1])) - 5_000_000)
        trial.judge(*trial.aggregate(batch))
    trial.finish()
    assert trial.events == frame.height
    (outcome,) = match([attack], [], trial.findings, trial.days).attacks
    assert outcome.seconds is not None
    return outcome.seconds


class TestTrial:
    SECONDS = tuple(2.0 * number for number in range(30))

    @given(st.lists(st.integers(1, 29), unique=True, max_size=4))
    @settings(max_examples=15, deadline=None)
    def test_the_time_is_that_of_the_limit_however_the_log_is_cut(self, cuts: list[int]) -> None:
        # The 20th request comes after 38 s, in a slot of a second.
        assert known_after(sorted(cuts), list(self.SECONDS)) == 39.0

    def test_the_span_is_that_of_the_events(self) -> None:
        trial = Trial(Detection(Catalogue((), "test"), prompt=False), [])
        assert (trial.days, trial.newest) == (0.0, None)
        for seconds in ([3_600.0, 86_400.0], [0.0]):
            trial.judge(*trial.aggregate(Batch(events(seconds), None)))
        assert (trial.days, trial.newest) == (1.0, after(86_400))


def lines() -> list[str]:
    """A scan by 203.0.113.7 from 08:10 on, and one by another client."""
    quiet = [combined(second, client="192.0.2.1") for second in range(0, 3000, 30)]
    scan = [combined(600 + n, request=f"GET /missing-{n} HTTP/1.1", status=404) for n in range(30)]
    other = [
        combined(1800 + n, client="198.51.100.9", request=f"GET /gone-{n} HTTP/1.1", status=404)
        for n in range(30)
    ]
    return [*quiet[:20], *scan, *quiet[20:60], *other, *quiet[60:]]


TRUTH = """\
entity_type,entity,from,to,label
client,203.0.113.7,2026-11-02T08:10:00Z,2026-11-02T08:10:30Z,attack
"""


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A log with two scans, and a truth file that knows of one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    return str(written(tmp_path / "access.log", lines())), tmp_path / "truth.csv"


def evaluate(case: tuple[str, Path], picture: Path | None = None, *, as_json: bool = True) -> int:
    log, truth = case
    return run_evaluation([log], truth, None, log_format="auto", picture=picture, as_json=as_json)


class TestCommand:
    def test_json_from_a_log_and_a_truth_of_ones_own(
        self, case: tuple[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert evaluate(case) == 0
        figures = json.loads(capsys.readouterr().out)
        assert (figures["overall"]["found"], figures["overall"]["attacks"]) == (1, 1)
        assert (figures["incidents"], figures["false_alarms"]) == (2, 1)
        assert [false["entity"] for false in figures["false"]] == ["198.51.100.9"]
        assert figures["days"] == pytest.approx(2970 / 86_400)
        assert figures["overall"]["delay"]["median_seconds"] == 10.0

    def test_tables_say_the_same(
        self, case: tuple[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert evaluate(case, as_json=False) == 0
        shown = capsys.readouterr().out
        assert "1 of 1 attacks found" in shown
        assert "1 of 2 incidents" in shown
        assert "client 198.51.100.9" in shown
        assert "missing_path_scan" in shown

    def test_hostile_names_reach_no_terminal(
        self, case: tuple[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        case[1].write_text(
            TRUTH.replace("label\n", "label,name\n").replace("attack\n", "benign,\x1b[31m[bold]x\n")
        )
        assert evaluate(case, as_json=False) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "[bold]x" in shown

    def test_a_picture_is_drawn(self, case: tuple[str, Path]) -> None:
        picture = case[1].with_name("report.png")
        assert evaluate(case, picture) == 0
        assert picture.read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize("name", ["report.pdf", "missing/report.png"])
    def test_a_picture_that_cannot_be_is_refused_before_the_work(
        self, name: str, case: tuple[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert evaluate(case, case[1].parent / name) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "--picture" in said.err

    def test_without_matplotlib_it_says_what_to_install(
        self,
        case: tuple[str, Path],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        assert evaluate(case, case[1].with_name("report.png")) == 2
        assert "pip install 'vedette[notebooks]'" in capsys.readouterr().err

    def test_a_bad_truth_file_is_wrong_use(
        self, case: tuple[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        case[1].write_text("entity_type,entity\nclient,203.0.113.7\n")
        assert evaluate(case) == 2
        assert "truth.csv:1: the header lacks from, to, label" in capsys.readouterr().err

    def test_no_incident_is_kept(self, case: tuple[str, Path], tmp_path: Path) -> None:
        assert evaluate(case) == 0
        assert not list(tmp_path.rglob("*.db"))
