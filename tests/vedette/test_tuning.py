"""Tuning: peaks, sweeps and proposals agree with what the detectors do."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from vedette import tuning
from vedette.settings import settings_from

from .scans import combined, incidents_of, written

RULE = "missing_path_scan"

#: Client -> distinct missing paths within a minute; the limit is 10.
CLIENTS = {"203.0.113.7": 30, "203.0.113.8": 12, "198.51.100.1": 6, "198.51.100.2": 4}
TRUTH = """\
entity_type,entity,from,to,label,name
client,203.0.113.7,2026-11-02T08:00:00Z,2026-11-02T08:59:00Z,attack,fast scan
client,203.0.113.8,2026-11-02T08:00:00Z,2026-11-02T08:59:00Z,attack,careful scan
client,198.51.100.1,2026-11-02T08:00:00Z,2026-11-02T08:59:00Z,benign,old links
"""


def lines() -> list[str]:
    scans = [
        (600 + 0.01 * place + number, client, f"GET /gone-{number} HTTP/1.1", 404)
        for place, (client, count) in enumerate(CLIENTS.items())
        for number in range(count)
    ]
    quiet = [(30.0 * n, "192.0.2.1", "GET / HTTP/1.1", 200) for n in range(100)]
    return [
        combined(second, client=client, request=request, status=status)
        for second, client, request, status in sorted(scans + quiet)
    ]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A log with four clients that miss paths, and the truth about three."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    truth = tmp_path / "truth.csv"
    truth.write_text(TRUTH, encoding="utf-8")
    return written(tmp_path / "access.log", lines()), truth


@pytest.fixture
def log(files: tuple[Path, Path]) -> tuning.LabelledLog:
    """The log with its labels."""
    return tuning.read_log([str(files[0])], truth=files[1])


@pytest.fixture
def bare(files: tuple[Path, Path]) -> tuning.LabelledLog:
    """The log without labels."""
    return tuning.read_log([str(files[0])])


def test_peaks_are_the_counts(log: tuning.LabelledLog) -> None:
    highest = tuning.peaks(log, RULE)
    assert dict(zip(highest["entity"], highest["peak"], strict=True)) == CLIENTS
    assert highest["label"].tolist() == ["attack", "attack", "benign", "unknown"]
    assert highest["name"].tolist() == ["fast scan", "careful scan", "old links", ""]
    assert tuning.peaks(log, RULE, at_least=13)["peak"].tolist() == [30]


def test_a_sweep_says_what_each_limit_would_report(log: tuning.LabelledLog) -> None:
    swept = tuning.sweep(log, RULE, [31, 10, 5, 13, 4]).set_index("threshold")
    assert swept.index.tolist() == [4, 5, 10, 13, 31]
    assert swept["incidents"].tolist() == [4, 3, 2, 1, 0]
    assert swept["false_alarms"].tolist() == [2, 1, 0, 0, 0]
    assert swept["recall"].tolist() == [1.0, 1.0, 1.0, 0.5, 0.0]
    assert swept["precision"].tolist()[:4] == [0.5, pytest.approx(2 / 3), 1.0, 1.0]
    assert swept["incidents_a_day"].tolist()[0] == pytest.approx(4 / log.days)


@pytest.mark.parametrize("threshold", [4, 5, 13])
def test_a_sweep_agrees_with_a_scan(
    threshold: int, log: tuning.LabelledLog, files: tuple[Path, Path], tmp_path: Path
) -> None:
    text = tuning.settings_lines(RULE, threshold)
    assert settings_from(text).detectors[RULE].threshold == threshold
    scanned = [i for i in incidents_of([files[0]], tmp_path, text) if RULE in i.detectors]
    (swept,) = tuning.sweep(log, RULE, [threshold])["incidents"]
    assert swept == len(scanned)


def test_without_labels_nothing_is_called_false(bare: tuning.LabelledLog) -> None:
    swept = tuning.sweep(bare, RULE, [4, 10])
    assert swept["incidents"].tolist() == [4, 2]
    assert (
        swept[["false_alarms", "false_alarms_a_day", "precision", "recall"]].isna().all(axis=None)
    )
    assert set(tuning.peaks(bare, RULE)["label"]) == {"unknown"}
    assert "no labels" in str(bare)


def test_the_settings_of_the_log_hold(files: tuple[Path, Path], tmp_path: Path) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text(
        f"[detectors.{RULE}]\nthreshold = 5\nenabled = false\n"
        f'[[detectors.{RULE}.exceptions]]\nclient = "203.0.113.7"\nwhy = "ours"\n',
        encoding="utf-8",
    )
    log = tuning.read_log([str(files[0])], config=config)
    assert tuning.limit_of(log, RULE) == 5
    assert tuning.sweep(log, RULE, [5])["incidents"].tolist() == [2]


def test_the_overview_has_the_noisiest_first(log: tuning.LabelledLog) -> None:
    rows = tuning.overview(log).set_index("detector")
    assert rows.loc[RULE, "incidents_a_day"] == pytest.approx(2 / log.days)
    assert rows["incidents_a_day"].is_monotonic_decreasing


def test_what_a_change_gains_and_loses(log: tuning.LabelledLog) -> None:
    lost = tuning.compare(log, RULE, 10, 13)
    assert lost[["change", "entity", "name"]].to_numpy().tolist() == [
        ["lost", "203.0.113.8", "careful scan"]
    ]
    assert tuning.compare(log, RULE, 10, 6)["change"].tolist() == ["gained"]
    assert tuning.compare(log, RULE, 10, 11).empty


def swept(**columns: list[float]) -> pd.DataFrame:
    """A sweep with these columns; what is not given is NaN."""
    names = ("threshold", "incidents_a_day", "false_alarms_a_day", "recall")
    count = len(columns["threshold"])
    return pd.DataFrame({name: columns.get(name, [float("nan")] * count) for name in names})


class TestProposals:
    LABELLED = swept(
        threshold=[2, 4, 6, 8, 10, 20],
        false_alarms_a_day=[9.0, 0.5, 0.0, 0.0, 0.0, 0.0],
        recall=[1.0, 1.0, 1.0, 1.0, 1.0, 0.5],
    )

    @pytest.mark.parametrize(
        ("now", "budget", "proposed"),
        [
            (20, 0.0, 8),  # the middle of 6, 8, 10
            (8, 0.0, 8),
            (6, 0.0, 8),  # at the edge
            (6, 0.5, 6),  # 4 is good enough now
            (2, -1.0, None),
        ],
    )
    def test_with_labels(self, now: int, budget: float, proposed: int | None) -> None:
        assert tuning.suggest(self.LABELLED, now, budget) == proposed

    def test_without_labels_it_is_the_lowest_within_the_budget(self) -> None:
        bare = swept(threshold=[2, 4, 8], incidents_a_day=[30.0, 3.0, 1.0])
        assert tuning.suggest(bare, 8, 5.0) == 4
        assert tuning.suggest(bare, 8, 0.5) is None

    def test_limits_to_try_lie_around_todays(self) -> None:
        limits = tuning.limits_around(10, pd.DataFrame({"peak": [1000]}))
        assert limits == sorted(set(limits))
        assert {2, 10, 100} <= set(limits)
        assert max(limits) == 100
        assert tuning.limits_around(10, pd.DataFrame({"peak": []}))[-1] == 20


def test_a_detector_that_is_not_there_is_told(log: tuning.LabelledLog) -> None:
    with pytest.raises(KeyError, match="missing_path_scam"):
        tuning.sweep(log, "missing_path_scam", [5])


def test_a_file_that_is_not_there_is_told(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(OSError, match="nowhere"):
        tuning.read_log([str(tmp_path / "nowhere.log")])


@pytest.mark.parametrize("labelled", [True, False])
def test_pictures_are_drawn(
    labelled: bool, log: tuning.LabelledLog, bare: tuning.LabelledLog, tmp_path: Path
) -> None:
    chosen = log if labelled else bare
    mpl.rcParams["savefig.dpi"] = 50
    frame = tuning.sweep(chosen, RULE, [4, 10, 20])
    sweep = tuning.draw_sweep(frame, 10, 7)
    assert len(sweep.axes) == (2 if labelled else 1)
    sweep.savefig(tmp_path / "sweep.png")
    peaks = tuning.draw_peaks(tuning.peaks(chosen, RULE), 10)
    assert len(peaks.axes) == (3 if labelled else 1)
    peaks.savefig(tmp_path / "peaks.png")
    tuning.draw_peaks(tuning.peaks(chosen, RULE, at_least=500), 10).savefig(tmp_path / "none.png")
