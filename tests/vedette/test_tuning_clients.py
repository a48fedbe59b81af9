"""The client model for notebooks: the frames agree with what the detector does."""

from pathlib import Path
from typing import Final

import matplotlib as mpl
import pytest

from detectors.learned.clients.features import FEATURES
from detectors.learned.clients.model import ClientModel
from detectors.learned.clients.training import train
from vedette.tuning import client_pictures, clients

CASE: Final = Path(__file__).parents[1] / "golden" / "client_outlier"
COPIER: Final = "203.0.113.50"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def quiet(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    mpl.use("agg")


@pytest.fixture
def model() -> ClientModel:
    return train(clients.read_clients([str(CASE / "train.log")]).history).model


@pytest.fixture
def log() -> clients.ClientLog:
    return clients.read_clients([str(CASE / "access.log")])


def test_who_is_told_is_whom_a_scan_tells(log: clients.ClientLog, model: ClientModel) -> None:
    odd = clients.oddness(log, model)
    assert odd.loc[odd["told"], "client"].tolist() == [COPIER]
    assert odd["points"].is_monotonic_decreasing
    assert odd["client"].is_unique
    assert set(odd["label"]) == {"unknown"}
    assert " against " in odd["why"].iloc[0]
    assert str(log).startswith(f"{log.events:,} events in 0.")


def test_limits_tell_those_who_reach_them_and_regulars_by_their_own(
    log: clients.ClientLog, model: ClientModel
) -> None:
    odd = clients.oddness(log, model)
    points = int(odd["points"].iloc[0])
    told = clients.told_by_limit(odd, [points, points + 1])
    assert told["unknown"].tolist() == [1, 0]
    key = int(log.history.found.filter(log.history.found["client"] == COPIER)["key"][0])
    known = model.about.model_copy(update={"regulars": {key: points}})
    as_regular = clients.oddness(log, ClientModel(known, model.forest))
    assert as_regular.loc[as_regular["client"] == COPIER, "label"].tolist() == ["regular"]
    assert not as_regular["told"].any()
    assert clients.told_by_limit(as_regular, [points])["regular"].tolist() == [0]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.log"):
        clients.read_clients([str(tmp_path / "gone.log")])


def test_simulated_attacks_are_labelled_and_machines_stay() -> None:
    calm = clients.simulated_clients(1, 1, 0.2, attacks=False)
    attacked = clients.simulated_clients(2, 1, 0.2, attacks=True)
    assert set(calm.labels.values()) == {"near miss"}
    assert list(attacked.labels.values()).count("attack") == 15
    assert len(calm.labels.keys() & attacked.labels.keys()) == 4


def test_pictures_show_every_feature_and_label(log: clients.ClientLog, model: ClientModel) -> None:
    odd = clients.oddness(log, model)
    panels = client_pictures.draw_features(log, odd, model).axes
    assert [axes.get_title() for axes in panels][: len(FEATURES)] == list(FEATURES.values())
    (strip,) = client_pictures.draw_oddness(odd, model).axes
    assert strip.get_ylabel() == f"unknown\n({len(odd)})"
    (pace,) = client_pictures.draw_pace(log, odd, model).axes
    legend = pace.get_legend()
    assert legend is not None
    assert "unknown, told" in [text.get_text() for text in legend.get_texts()]


def test_pictures_of_nobody_are_empty_ones(log: clients.ClientLog, model: ClientModel) -> None:
    nobody = clients.oddness(log, model).head(0)
    for figure in (
        client_pictures.draw_features(log, nobody, model),
        client_pictures.draw_oddness(nobody, model),
        client_pictures.draw_pace(log, nobody, model),
    ):
        figure.canvas.draw()
    assert clients.told_by_limit(nobody, [600]).empty
