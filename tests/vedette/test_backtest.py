"""Back-tests: the same incidents as a scan, from what is kept; what is kept, and how."""

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.actions import change_incident
from alerts.database.opening import open_database
from alerts.incidents.decisions import Change
from detectors.catalogue import Catalogue
from detectors.gathering import Gathered
from detectors.registry import HEALTH
from ingest.events import BATCH_SCHEMA, Batch, no_events
from ingest.reader import LogReader
from ingest.times import iso
from vedette.backtest import comparing, judging
from vedette.backtest.cache import Cache
from vedette.backtest.columns import LEARNED, columns_of
from vedette.backtest.comparing import Comparison, compare
from vedette.backtest.counting import Wanted, count
from vedette.backtest.incidents import Incident, incidents_of
from vedette.backtest.judging import Judge, Side
from vedette.backtest.labels import Truth
from vedette.backtest.markdown import markdown_of
from vedette.backtest.page import page_of
from vedette.backtest.peaks import peaks_of
from vedette.backtest.pictures import timeline
from vedette.backtest.stored_log import StoredLog
from vedette.backtest.sweeping import counted_for, proposal, single_rule, sweep_counts
from vedette.commands.backtest import clear_cache, run_backtest
from vedette.commands.scan import run_scan
from vedette.commands.sweep import limits_of, run_sweep
from vedette.detecting import families_of
from vedette.evaluation.episodes import Episode
from vedette.rules import catalogue_of
from vedette.settings import Settings, SettingsError, changed_settings, load_settings, settings_from
from vedette.simulation import simulate, write

from .scans import START, combined, written

SECRET = b"x" * 32
RULE = "missing_path_scan"

#: Client -> distinct missing paths within a minute; the limit is 10.
CLIENTS = {"203.0.113.7": 30, "203.0.113.8": 12, "198.51.100.1": 6}
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def lines() -> list[str]:
    scanners = [
        (600 + 0.01 * place + number, client, f"/gone-{number}", 404)
        for place, (client, count) in enumerate(CLIENTS.items())
        for number in range(count)
    ]
    quiet = [(30.0 * n, "192.0.2.1", f"/reset/{TOKEN}", 200) for n in range(60)]
    return [
        combined(second, client=client, request=f"GET {path} HTTP/1.1", status=status)
        for second, client, path, status in sorted(scanners + quiet)
    ]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(judging, "catalogue_of", compiled)


CATALOGUES: dict[str, Catalogue] = {}


def compiled(given: Settings) -> Catalogue:
    """The catalogue of settings; rules are compiled once for all tests."""
    key = given.model_dump_json()
    if key not in CATALOGUES:
        CATALOGUES[key] = catalogue_of(given)
    return CATALOGUES[key]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with three clients that miss paths, and one whose paths hold a secret."""
    file = written(tmp_path / "access.log", lines())
    os.utime(file, (1_700_000_000, 1_700_000_000))
    return file


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache", 10**9)


def judged(log: Path, cache: Cache, *texts: str) -> tuple[Judge, list[Side]]:
    judge = Judge([str(log)], cache, SECRET)
    return judge, judge.sides([settings_from(text) for text in texts])


def limit(number: int, rule: str = RULE) -> str:
    return f"[detectors.{rule}]\nthreshold = {number}\n"


def entities(side: Side) -> list[str]:
    return sorted(each.entity for each in incidents_of(side.findings) if RULE in each.detectors)


def compared(log: Path, cache: Cache, old: str, new: str, truth: Truth | None = None) -> Comparison:
    _, (before, after) = judged(log, cache, old, new)
    return compare(before, after, truth or Truth(), ("old", "new"))


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the log must not be read again")

    monkeypatch.setattr(judging, "LogReader", refuse)
    monkeypatch.setattr(judging, "count", refuse)


LOW = limit(4) + limit(2, "login_burst")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Side]:
    """Simulated minutes with attacks, and what is found in them under LOW."""
    folder = tmp_path_factory.mktemp("simulated")
    write(simulate(3, START, timedelta(minutes=15), requests_per_second=2), folder)
    _, sides = judged(folder / "access.log", Cache(folder / "cache", 10**9), LOW)
    return folder / "access.log", sides[0]


def scanned(log: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> set[tuple[str, ...]]:
    capsys.readouterr()
    assert run_scan([str(log)], config, log_format="auto", database=None, as_json=True) == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    return {
        (row["entity"], row["severity"], row["started_at"], row["last_at"], row["summary"])
        for row in rows
    }


def test_incidents_are_those_of_a_scan(
    simulated: tuple[Path, Side], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, side = simulated
    config = tmp_path / "vedette.toml"
    config.write_text(LOW, encoding="utf-8")
    mine = {
        (i.entity, i.severity, iso(i.started_at), iso(i.last_at), i.summary)
        for i in incidents_of(side.findings)
        if i.told
    }
    assert len(mine) > 5
    assert mine == scanned(log, config, capsys)


def test_a_second_back_test_reads_and_counts_nothing(
    log: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (first, second) = judged(log, cache, limit(10), limit(20))
    assert [entities(first), entities(second)] == [["203.0.113.7", "203.0.113.8"], ["203.0.113.7"]]
    no_reading(monkeypatch)
    judge, (third, fourth) = judged(log, cache, limit(5), limit(13))
    assert [entities(third), entities(fourth)] == [sorted(CLIENTS), ["203.0.113.7"]]
    assert judge.notes == []


def test_what_is_kept_is_masked_and_private(log: Path, cache: Cache) -> None:
    judged(log, cache, "")
    files = [file for file in cache.folder.rglob("*") if file.is_file()]
    assert len(files) > 3
    for file in files:
        assert TOKEN.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    folders = [folder for folder in cache.folder.rglob("*") if folder.is_dir()]
    assert {folder.stat().st_mode & 0o777 for folder in (cache.folder, *folders)} == {0o700}


def test_what_masking_hides_is_counted_in_the_log_itself(tmp_path: Path, cache: Cache) -> None:
    """The rule looks at paths, and some of these are the same once they are masked."""
    secrets = [
        combined(
            600 + n, client="192.0.2.50", request=f"GET /reset/{TOKEN}{n} HTTP/1.1", status=404
        )
        for n in range(20)
    ]
    log = written(tmp_path / "secrets.log", [*lines()[:40], *secrets, *lines()[40:]])
    judge, _ = judged(log, cache, "")
    assert judge.notes == []
    rule = f'[[detectors.{RULE}.exceptions]]\nclient = "203.0.113.8"\nwhy = "ours"\n'
    judge, (side,) = judged(log, cache, rule)
    assert entities(side) == ["192.0.2.50", "203.0.113.7"]
    assert "path" in judge.notes[0]


def test_what_masking_leaves_alone_is_counted_from_what_is_kept(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [line for line in lines() if TOKEN not in line]
    log = written(tmp_path / "plain.log", plain)
    judged(log, cache, "")
    monkeypatch.setattr(judging, "LogReader", None)
    rule = f'[[detectors.{RULE}.exceptions]]\nclient = "203.0.113.8"\nwhy = "ours"\n'
    judge, (side,) = judged(log, cache, rule)
    assert entities(side) == ["203.0.113.7"]
    assert judge.notes == []


def test_other_contents_are_another_log(log: Path, cache: Cache) -> None:
    judged(log, cache, "")
    with log.open("a", encoding="utf-8") as stream:
        stream.writelines(
            combined(2000 + n, client="192.0.2.9", request=f"GET /no-{n} HTTP/1.1", status=404)
            + "\n"
            for n in range(15)
        )
    _, (side,) = judged(log, cache, "")
    assert "192.0.2.9" in entities(side)
    assert len(list((cache.folder / "logs").iterdir())) == 2


@pytest.mark.parametrize("harm", ["about.json", "events-00000.parquet"])
def test_an_entry_that_is_not_whole_is_made_anew(log: Path, cache: Cache, harm: str) -> None:
    _, (before,) = judged(log, cache, "")
    (before.log.folder / harm).unlink()
    _, (after,) = judged(log, cache, "")
    assert after.findings == before.findings
    assert (after.log.folder / harm).is_file()


def test_the_longest_unused_log_leaves_first(cache: Cache) -> None:
    kept: list[StoredLog] = []
    for number, age in enumerate((3, 1, 2)):
        writer = cache.begin(str(number))
        writer.add(Gathered(Batch(no_events(), None), None))
        kept.append(cache.keep(str(number), writer))
        os.utime(kept[-1].folder, (1_700_000_000 - age, 1_700_000_000 - age))
    smaller = Cache(cache.folder, cache.trim() - 1)
    smaller.trim()
    assert [each.folder.exists() for each in kept] == [False, True, True]
    assert smaller.find("2") is not None  # and so it is used
    Cache(cache.folder, 0).trim(sparing=frozenset({"2"}))
    assert [each.folder.exists() for each in kept] == [False, False, True]


def test_a_log_that_changes_while_it_is_read_is_not_kept(
    log: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is that of what it was before."""
    written_by = LogReader.batches

    def grows(reader: LogReader) -> Any:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(combined(3000, client="192.0.2.9") + "\n")
        yield from written_by(reader)

    with monkeypatch.context() as patched:
        patched.setattr(LogReader, "batches", grows)
        judge, (side,) = judged(log, cache, "")
    assert "changed while it was read" in judge.notes[0]
    assert entities(side) == ["203.0.113.7", "203.0.113.8"]
    os.truncate(log, log.stat().st_size - len(combined(3000, client="192.0.2.9")) - 1)
    _, (again,) = judged(log, cache, "")
    assert again.log.folder != side.log.folder


def test_a_log_that_could_not_be_read_wholly_is_not_kept(tmp_path: Path, cache: Cache) -> None:
    whole = written(tmp_path / "a.log", lines())
    judge = Judge([str(whole), str(tmp_path / "none.log")], cache, SECRET)
    judge.sides([settings_from("")])
    assert judge.problems
    again = Judge([str(whole), str(tmp_path / "none.log")], cache, SECRET)
    again.sides([settings_from("")])
    assert again.problems


def test_counts_of_another_version_are_counted_anew(
    log: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (side,) = judged(log, cache, "")
    before = {file.name for file in side.log.folder.iterdir() if file.is_dir()}
    monkeypatch.setattr(judging, "code_version", lambda package: f"{package}-x")
    _, (other,) = judged(log, cache, "")
    assert [f.entity for f in other.findings] == [f.entity for f in side.findings]
    _, (third,) = judged(log, cache, "")
    assert not before & {file.name for file in third.log.folder.iterdir()}


def test_what_people_decided_labels_a_log(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scan of the log into a database, decisions there, and a back-test that takes them."""
    file = tmp_path / "decided.db"
    run_scan([str(log)], None, log_format="auto", database=str(file), as_json=True)
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    numbers = {row["entity"]: row["id"] for row in rows}
    engine = open_database(f"sqlite:///{file}")
    for client, said in (("203.0.113.7", "true_positive"), ("203.0.113.8", "false_positive")):
        change = Change(status="resolved", resolution=said)  # type: ignore[arg-type]
        change_incident(engine, numbers[client], change, actor="ann", now=START)
    engine.dispose()
    changes = [f"detectors.{RULE}.threshold=13"]
    run_backtest([str(log)], None, None, changes=changes, database=str(file), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["before"]["precision"], told["after"]["precision"]) == (0.5, 1.0)
    (lost,) = told["differences"]
    assert (lost["label"], lost["name"]) == (
        "false alarm",
        f"incident {numbers['203.0.113.8']}: false_positive",
    )


def test_clear_leaves_nothing(log: Path, cache: Cache) -> None:
    judged(log, cache, "")
    assert clear_cache(None, cache.folder) == 0
    assert not [file for file in cache.folder.rglob("*") if file.is_file()]


def test_standard_input_cannot_be_read_twice(cache: Cache) -> None:
    with pytest.raises(SettingsError, match="not standard input"):
        Judge(["-"], cache, SECRET)


def test_learned_detectors_need_no_column_that_is_left_out(simulated: tuple[Path, Side]) -> None:
    """What no family looks at is null in what is kept and counted again."""
    _, side = simulated
    rules = {rule.name for rule in side.catalogue.rules}
    told = [f for f in side.findings if f.detector not in rules | {d.name for d in HEALTH}]
    wanted = Wanted({}, {"all": families_of(settings_from(""))})
    found = count(side.log.batches(LEARNED), wanted).learned["all"]
    assert [replace(f, fingerprint="") for f in found] == told


def test_columns_of_rules_are_all_that_they_look_at() -> None:
    rules = {rule.name: rule for rule in catalogue_of(settings_from("")).rules}
    assert {"path", "status", "client_ip"} <= columns_of([rules[RULE]])
    assert not {"path", "query"} & columns_of([rules["auth_failure_burst"]])
    assert {"query", "path"} <= columns_of([rules["sql_injection"]])
    assert "path" in columns_of([rules["object_enumeration"]])
    assert "response_bytes" in columns_of([rules["large_responses"]])
    assert "route" in columns_of([rules["large_responses"]])


def test_gained_lost_and_changed(log: Path, cache: Cache) -> None:
    gained = compared(log, cache, limit(20), limit(5))
    assert [(d.change, d.entity) for d in gained.differences] == [
        ("gained", "198.51.100.1"),
        ("gained", "203.0.113.8"),
    ]
    (six, _) = gained.differences
    assert (six.measured[0].value, six.measured[0].before, six.measured[0].after) == (6, 20, 5)
    assert (gained.before.incidents, gained.after.incidents, gained.unchanged) == (1, 3, 1)
    lost = compared(log, cache, limit(10), limit(13))
    assert [(d.change, d.entity) for d in lost.differences] == [("lost", "203.0.113.8")]
    assert lost.unchanged == 1
    assert str(lost.differences[0].measured[0]).endswith("(limit 10 -> 13)")


def test_a_level_is_a_change_and_a_mode_a_loss(log: Path, cache: Cache) -> None:
    level = compared(log, cache, "", f'[detectors.{RULE}]\nlevel = "critical"\n')
    assert {d.change for d in level.differences} == {"changed"}
    assert level.differences[0].severity == ("medium", "critical")
    mode = compared(log, cache, "", f'[detectors.{RULE}]\nmode = "monitor"\n')
    assert {d.change for d in mode.differences} == {"lost"}
    assert mode.differences[0].what == ("only monitored on the other side",)


def test_the_same_settings_change_nothing(log: Path, cache: Cache) -> None:
    same = compared(log, cache, "", limit(10))
    assert same.differences == ()
    assert same.unchanged == 2


def truth(*entities: tuple[str, str], complete: bool = True) -> Truth:
    episodes = [
        Episode(
            f"{kind} {entity}",
            "attack" if kind == "attack" else "benign",
            frozenset({("client", entity)}),
            START,
            START + timedelta(hours=1),
        )
        for entity, kind in entities
    ]
    return Truth(tuple(episodes), complete)


def test_labels_give_precision_before_and_after(log: Path, cache: Cache) -> None:
    known = truth(("203.0.113.7", "attack"), ("203.0.113.8", "attack"))
    found = compared(log, cache, limit(13), limit(5), known)
    assert found.before.precision == 1.0
    assert found.after.precision == pytest.approx(2 / 3)
    assert (found.before.recall, found.after.recall) == (0.5, 1.0)
    assert {d.entity: d.known.label for d in found.differences} == {
        "198.51.100.1": "false alarm",
        "203.0.113.8": "attack",
    }
    back = compared(log, cache, limit(5), limit(13), known)
    assert [name.split(" (")[0] for name in back.missed] == ["attack 203.0.113.8"]


def test_what_people_did_not_decide_is_unknown(log: Path, cache: Cache) -> None:
    known = truth(("203.0.113.7", "benign"), complete=False)
    found = compared(log, cache, "", limit(5), known)
    assert found.after.by_label == {"attack": 0, "false alarm": 1, "unsure": 0, "unknown": 2}
    assert found.after.precision == 0.0


HOSTILE = "<script>alert(1)</script>`|@all\x1b[31m"


def test_pages_are_harmless_and_need_nothing_else(log: Path, cache: Cache) -> None:
    judge, (before, after) = judged(log, cache, limit(20), limit(5))
    known = Truth((replace(truth(("203.0.113.8", "attack")).episodes[0], name=HOSTILE),), True)
    found = compare(before, after, known, ("old", "new"))
    page = page_of(found, peaks_of(judge, before, after, known))
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="', page)
    text = markdown_of(found)
    assert "\x1b" not in page + text
    (row,) = [line for line in text.splitlines() if "203.0.113.8" in line]
    assert row.count("|") == 6
    assert "`attack: <script>alert(1)</script>'\N{BROKEN BAR}@all\\x1b[31m`" in row


def test_peaks_are_those_of_every_entity(log: Path, cache: Cache) -> None:
    judge, (before, after) = judged(log, cache, limit(20), limit(5))
    (peaks,) = peaks_of(judge, before, after, Truth())
    assert {each.entity: each.value for each in peaks.entities} == CLIENTS
    assert (peaks.before, peaks.after) == (20, 5)


def test_the_command_tells_as_json_and_writes_what_it_is_told(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    status = run_backtest(
        [str(log)],
        None,
        None,
        changes=[f"detectors.{RULE}.threshold=13"],
        report=page,
        markdown=text,
        as_json=True,
    )
    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert [(d["change"], d["entity"]) for d in told["differences"]] == [("lost", "203.0.113.8")]
    assert told["against"] == f"the defaults with detectors.{RULE}.threshold=13"
    assert "203.0.113.8" in page.read_text(encoding="utf-8")
    assert "203.0.113.8" in text.read_text(encoding="utf-8")
    assert run_backtest([str(log)], None, None, changes=[f"detectors.{RULE}.threshold=13"]) == 0
    assert "1 lost" in capsys.readouterr().out


def test_changed_keys_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "vedette.toml"
    file.write_text(f'[detectors.{RULE}]\nthreshold = 5\nlevel = "low"\n', encoding="utf-8")
    changed = changed_settings(load_settings(file), [f"detectors.{RULE}.threshold=7"])
    assert (changed.detectors[RULE].threshold, changed.detectors[RULE].level) == (7, "low")
    for wrong in ("detectors.x", "sources.nothing=1"):
        with pytest.raises(SettingsError):
            changed_settings(settings_from(""), [wrong])


def swept(log: Path, capsys: pytest.CaptureFixture[str], limits: str) -> dict[int, int]:
    capsys.readouterr()
    assert run_sweep([str(log)], RULE, None, thresholds=limits, as_json=True) == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    return {row["threshold"]: row["incidents"] for row in rows}


def test_a_sweep_counts_once_and_says_what_each_limit_finds(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert swept(log, capsys, "5,7,12,13,31") == {5: 3, 7: 2, 12: 2, 13: 1, 31: 0}
    no_reading(monkeypatch)
    assert swept(log, capsys, "6,30") == {6: 3, 30: 1}


def test_a_sweep_below_what_was_counted_counts_that_rule_anew(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert swept(log, capsys, "12") == {12: 2}
    assert swept(log, capsys, "1:6:3") == {1: 3, 2: 3, 6: 3}
    status = run_sweep([str(log)], RULE, None, thresholds=None, as_json=False)
    told = capsys.readouterr().out
    assert status == 0
    assert "now" in told
    assert "No limit keeps to 0 a day" not in told  # none finds anything from 31 on


@pytest.mark.parametrize("limits", ["", "x", "0,5", "5:x:2", "9:1", "50:5:10"])
def test_limits_that_make_no_sense_are_refused(limits: str) -> None:
    with pytest.raises(SettingsError, match="--threshold"):
        limits_of(limits)


def test_a_sequence_is_counted_for_each_limit(simulated: tuple[Path, Side]) -> None:
    """Its limit says how often the first rule must match: no higher one follows from it."""
    rule = single_rule(settings_from(""), "success_after_failures")
    wanted = counted_for(rule, [3, 5])
    assert len(wanted) == 2
    _, side = simulated
    counts = count(side.log.batches(set(BATCH_SCHEMA)), Wanted(wanted)).counts
    found = sweep_counts(rule, counts, [3, 5], Truth(), 1.0)
    assert [each.threshold for each in found] == [3, 5]
    assert found[0].incidents >= found[1].incidents


def test_decisions_label_a_sweep(log: Path, cache: Cache) -> None:
    """Failed when false alarms were known only where all of the log was: nothing was proposed."""
    rule, limits = single_rule(settings_from(""), RULE), [5, 7, 13, 31]
    counts = Judge([str(log)], cache, SECRET).sweep(settings_from(""), counted_for(rule, limits))
    known = truth(("203.0.113.7", "attack"), ("203.0.113.8", "benign"), complete=False)
    found = sweep_counts(rule, counts.by_shape, limits, known, counts.about.days)
    figures = [(each.false_alarms, each.precision, each.recall) for each in found]
    assert figures == [(1, 0.5, 1.0), (1, 0.5, 1.0), (0, 1.0, 1.0), (0, None, 0.0)]
    assert proposal(found, rule.threshold) == 13


def test_what_another_process_is_writing_stays(cache: Cache) -> None:
    """Failed when it went with what was too much, under the hands of who wrote it."""
    writer = cache.begin("1")
    writer.add(Gathered(Batch(no_events(), None), None))
    Cache(cache.folder, 0).trim()
    assert cache.keep("1", writer).about.events == 0


@pytest.mark.parametrize("harm", ["events-00000.parquet", "readings.parquet"])
def test_an_entry_with_a_file_that_was_cut_is_made_anew(log: Path, cache: Cache, harm: str) -> None:
    """Failed when only missing files were seen: a loss of power leaves empty ones."""
    _, (before,) = judged(log, cache, "")
    os.truncate(before.log.folder / harm, 0)
    _, (after,) = judged(log, cache, f'[[detectors.{RULE}.exceptions]]\nuser = "x"\nwhy = "x"\n')
    assert entities(after) == entities(before)


def test_what_became_of_many_is_found_by_their_names(
    log: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed when each that is lost was held against all of the other side."""
    asked = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

    many = 200
    _, (before, after) = judged(log, cache, "", "")
    (one, *_) = incidents_of(before.findings)
    sides = iter(("alert", "monitor"))

    def made(_: object) -> list[Incident]:
        mode = next(sides)
        return [replace(one, entity=Name(number), mode=mode) for number in range(many)]

    monkeypatch.setattr(comparing, "incidents_of", made)
    found = compare(before, after, Truth(), ("old", "new"))
    assert len(found.only("lost")) == many
    assert all(each.what == ("only monitored on the other side",) for each in found.differences)
    assert asked < 20 * many


def test_a_picture_of_very_many_differences_stays_small(log: Path, cache: Cache) -> None:
    """Failed when each had a mark of its own: pages grew with the log."""
    found = compared(log, cache, limit(20), limit(5))
    one = found.differences[0]
    many = tuple(
        replace(one, started_at=one.started_at + timedelta(milliseconds=n)) for n in range(5_000)
    )
    drawn = timeline(replace(found, differences=many))
    assert "gained (5,000)" in drawn
    assert drawn.count("<circle") < 10


def test_secrets_in_changes_are_not_told(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failed when the page, fit to be passed on, named them."""
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    change = f'detectors.{RULE}.threshold=13\nstore.url="postgresql://v:hunter2@db/v"'
    changes = [f"detectors.{RULE}.threshold=13", change]
    run_backtest([str(log)], None, None, changes=changes, report=page, markdown=text, as_json=True)
    told = capsys.readouterr().out
    assert "hunter2" not in told + page.read_text("utf-8") + text.read_text("utf-8")
    named = f"the defaults with detectors.{RULE}.threshold=13, other detectors and store"
    assert json.loads(told)["against"] == named


def test_a_part_of_a_log_is_that_which_was_read_last(cache: Cache) -> None:
    """Failed when what an earlier process had read was taken, which had the same number."""
    for lines_read in (1, 2):
        writer = cache.begin("1")
        writer.lines = lines_read
        assert cache.keep("1", writer, whole=False).about.lines == lines_read


def test_settings_of_one_name_are_told_apart(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failed when both were called vedette.toml."""
    files = [tmp_path / folder / "vedette.toml" for folder in ("now", "then")]
    for file in files:
        file.parent.mkdir()
        file.touch()
    assert run_backtest([str(log)], *files, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [told["settings"], told["against"]] == [str(file) for file in files]


def test_two_who_keep_one_log_at_once_have_it_both(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed when the other one kept it just after it was looked for."""
    writers = []
    for process in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda number=process: number)
        writers.append(cache.begin("1"))
        writers[-1].add(Gathered(Batch(no_events(), None), None))
    one, other = writers
    other.finish()
    rename = Path.rename

    def later(self: Path, place: Path) -> Path:
        if self == one.folder:
            rename(other.folder, place)
        return rename(self, place)

    monkeypatch.setattr(Path, "rename", later)
    assert cache.keep("1", one).folder.name == "1"
    assert [each.name for each in (cache.folder / "logs").iterdir()] == ["1"]
