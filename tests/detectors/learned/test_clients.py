"""The client model: what it counts, learns and tells, and which files it takes."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from detectors.findings import merge_runs
from detectors.learned.clients import model as client_model
from detectors.learned.clients.family import CLIENT_OUTLIER, ClientOutliers
from detectors.learned.clients.features import FEATURES, judged, matrix
from detectors.learned.clients.forest import Trees, expected_length
from detectors.learned.clients.model import ClientModel, ModelError, Usual, read, written
from detectors.learned.clients.panes import Panes
from detectors.learned.clients.sums import PANE_US, SUMS_SCHEMA, joined, sums_of
from detectors.learned.clients.training import History, HistoryError, train
from detectors.overrides import RuleException, RuleOverride
from detectors.registry import learned_families
from tests.detectors.learned import clients_streams as streams
from tests.detectors.streams import START, frame, micros

Events = list[dict[str, Any]]
SECRET = b"s" * 32
HOUR = 3_600.0


def steady(client: str, every: float, count: int, *, paths: int = 10_000) -> Events:
    return [
        streams.request(client, every * number, f"/products/{number % paths}", 200)
        for number in range(count)
    ]


def windows_of(events: Events) -> pl.DataFrame:
    panes = Panes()
    panes.add(sums_of(frame(events)))
    *_, (_, last) = panes.close(None)
    return last


def test_what_is_told_of_an_even_client() -> None:
    (row,) = windows_of(steady("192.0.2.1", 60.0, 180, paths=90)).to_dicts()
    assert row["requests"] == 180
    assert row["busy"] == 180
    assert row["panes"] == 6
    assert row["evenness"] == 100
    assert row["stretch"] == 359
    assert row["routes"] == 1
    assert row["agents"] == 1
    assert row["paths"] == pytest.approx(90, abs=12)
    assert row["bytes"] == 4_000
    assert row["failed"] == row["writes"] == row["refused"] == row["missing"] == 0


def test_shares_are_of_requests() -> None:
    kinds = [("POST", 200), ("GET", 401), ("GET", 404), ("GET", 503), ("GET", 200)]
    events = steady("192.0.2.1", 30.0, 100)
    for number, event in enumerate(events):
        event["method"], event["status"] = kinds[number % 5]
    (row,) = windows_of(events).to_dicts()
    assert [row[name] for name in ("writes", "refused", "missing", "failed")] == [20.0] * 4


def test_a_pause_ends_a_stretch_and_chance_is_less_even() -> None:
    first = steady("192.0.2.1", 30.0, 40)
    later = [streams.request("192.0.2.1", 3_000 + 30.0 * n, f"/p/{n}", 200) for n in range(60)]
    (row,) = windows_of(first + later).to_dicts()
    assert row["stretch"] == 60
    assert row["evenness"] < 100


def test_requests_behind_the_edge_late_or_without_client_do_not_count() -> None:
    events = steady("192.0.2.1", 60.0, 6)
    changes: list[dict[str, Any]] = [{"edge": False}, {"windowed": False}, {"client_ip": None}]
    events = [{**e, **c} for e, c in zip(events, [*changes, {}, {}, {}], strict=True)]
    assert sums_of(frame(events))["requests"].sum() == 3


def test_whoever_is_quiet_is_not_in_the_window_and_bursts_are_not_judged() -> None:
    assert windows_of(steady("192.0.2.1", 60.0, 14)).is_empty()
    burst = windows_of(steady("192.0.2.1", 0.5, 2_000))
    assert burst.height == 1
    assert judged(burst).is_empty()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_sums_of_parts_add_up_to_those_of_the_whole(seed: int, cuts: list[int]) -> None:
    rng = random.Random(seed)
    events = [
        row
        for number in range(5)
        for row in streams.visit(rng, f"192.0.2.{number}", rng.uniform(0, 4 * HOUR), 40)
    ]
    rng.shuffle(events)
    edges = sorted({0, *(cut % len(events) for cut in cuts), len(events)})
    parts = [sums_of(frame(events[a:b])) for a, b in pairwise(edges)]
    whole = sums_of(frame(events)).sort("key", "pane")
    assert joined(pl.concat(parts), "key", "pane").equals(whole)
    assert whole.schema == SUMS_SCHEMA


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(700, len(FEATURES)))
    rows[:200, 3] = 1.0
    forest = IsolationForest(n_estimators=50, random_state=2).fit(rows)
    asked = np.concatenate([rows[:50], 4 * rng.normal(size=(2_500, len(FEATURES)))])
    assert Trees.of(forest).scores(asked) == pytest.approx(-forest.score_samples(asked), abs=1e-9)
    assert Trees.of(forest).scores(asked[:0]).shape == (0,)
    assert expected_length(np.array([1, 2])).tolist() == [0.0, 1.0]


def found_in(model: ClientModel, events: Events, **override: Any) -> list[Any]:
    given = {CLIENT_OUTLIER.name: RuleOverride(**override)}
    family = ClientOutliers(given, model=model)
    return merge_runs([], family.judge(family.aggregate(frame(events)), None) + family.finish())


def test_who_copies_the_catalogue_is_told_with_what_stands_out() -> None:
    events = steady("192.0.2.1", 40.0, 300)
    (finding,) = found_in(streams.model(), events)
    assert finding.entity == "192.0.2.1"
    assert finding.first == START
    assert finding.last == events[-1]["effective_time"]
    assert finding.value >= finding.threshold == streams.model().about.limit
    assert finding.note.startswith("in six hours ")
    assert " of most clients" in finding.note
    assert "paths" in finding.note
    assert finding.reached is not None
    assert micros(finding.reached) % PANE_US == 0
    assert finding.reached - finding.first <= timedelta(hours=3)


def test_people_of_the_history_are_not_told() -> None:
    rng = random.Random(99)
    events = [
        row
        for number in range(40)
        for row in streams.visit(rng, f"203.0.113.{number}", rng.uniform(0, 5 * HOUR), 60)
    ]
    assert found_in(streams.model(), events) == []


def test_settings_raise_the_limit_except_a_client_and_switch_off() -> None:
    events = steady("192.0.2.1", 40.0, 300)
    model = streams.model()
    assert found_in(model, events, threshold=990) == []
    assert found_in(model, events, threshold=510)
    ours = RuleException(client="192.0.2.1", why="our own")
    assert found_in(model, events, exceptions=(ours,)) == []
    assert found_in(model, events, enabled=False) == []
    (finding,) = found_in(model, events, level="high", mode="monitor")
    assert finding.level.label == "high"
    assert finding.mode == "monitor"


def test_a_regular_is_told_only_as_it_becomes_odder() -> None:
    events = steady("192.0.2.1", 40.0, 300)
    (finding,) = found_in(streams.model(), events)
    key = sums_of(frame(events))["key"][0]

    def regular(points: int) -> ClientModel:
        about = streams.model().about.model_copy(update={"regulars": {key: points}})
        return replace(streams.model(), about=about)

    assert found_in(regular(finding.value), events) == []
    assert found_in(regular(finding.value - client_model.MARGIN), events)


def test_without_a_model_there_is_no_detector_and_nothing_is_counted() -> None:
    family = ClientOutliers()
    assert not family.detectors
    assert family.aggregate(frame(steady("192.0.2.1", 60.0, 50))).is_empty()
    assert family.status() == []


def test_most_clients_of_a_pane_are_kept_by_requests_and_the_others_counted() -> None:
    panes = Panes(client_cap=2)
    for number, count in enumerate((30, 40, 20)):
        panes.add(sums_of(frame(steady(f"192.0.2.{number}", 30.0, count))))
    ((_, rows),) = panes.close(None)
    assert set(rows["client"]) == {"192.0.2.0", "192.0.2.1"}
    assert panes.evicted == 1


def history(people: int, *, days: int = 1, machine: bool = False, without: str = "") -> History:
    rng = random.Random(3)
    found = History([without])
    for day in range(days):
        begin = day * 24 * HOUR
        events = []
        for number in range(people):
            client = f"198.{day}.{number // 250}.{number % 250}"
            events += streams.visit(rng, client, begin + rng.uniform(0, 9) * HOUR, 20)
        for minute in range(500 if machine else 0):
            events.append(streams.request("192.0.2.9", begin + 60.0 * minute, "/feed", 200))
        found.add(frame(sorted(events, key=lambda e: e["effective_time"])), None)
    found.finish()
    return found


def test_the_same_history_gives_the_same_model_and_another_seed_another() -> None:
    once, again = train(history(210), seed=4), train(history(210), seed=4)
    assert once.model.about == again.model.about
    assert once.odd.equals(again.odd)
    rows = windows_of(steady("192.0.2.1", 40.0, 300))
    assert once.model.points(rows).equals(again.model.points(rows))
    other = train(history(210), seed=5)
    assert not np.array_equal(
        Trees.of(once.model.forest).scores(matrix(rows)),
        Trees.of(other.model.forest).scores(matrix(rows)),
    )


def test_machines_of_every_day_are_regulars_and_do_not_raise_the_limit() -> None:
    trained = train(history(210, days=2, machine=True))
    (regular,) = trained.odd.filter(pl.col("days") > 1).to_dicts()
    assert regular["client"] == "192.0.2.9"
    assert trained.model.about.regulars == {regular["key"]: regular["points"]}
    assert trained.model.about.limit < regular["points"]
    left_out = train(history(210, days=2, machine=True, without="192.0.2.9"))
    assert left_out.model.about.regulars == {}


def test_no_regular_is_told_for_what_it_did_in_the_history() -> None:
    """Whichever half of the clients it is in, and however the other half's forest finds it."""
    events = [
        steady(f"192.0.2.{number}", every, round(40_000 / every), paths=paths)
        for number, (every, paths) in enumerate(
            [(30.0, 9_999), (60.0, 1), (120.0, 9_999), (15.0, 1)]
        )
    ]
    past = history(210)
    for day in (1, 2):
        shifted = [
            {**row, "effective_time": row["effective_time"] + timedelta(days=day)}
            for machine in events
            for row in machine
        ]
        past.add(frame(sorted(shifted, key=lambda e: e["effective_time"])), None)
    past.finish()
    model = train(past).model
    rows = judged(past.found)
    greatest = dict(
        rows.with_columns(model.points(rows)).group_by("key").agg(pl.col("points").max()).rows()
    )
    assert len(model.about.regulars) == 4
    assert all(points >= greatest[key] for key, points in model.about.regulars.items())


def test_a_history_of_few_clients_teaches_nothing() -> None:
    with pytest.raises(HistoryError, match="only 20 clients"):
        train(history(20))


def test_a_model_comes_back_from_its_bytes() -> None:
    model = streams.model()
    back = read(written(model, SECRET), SECRET)
    assert back.about == model.about
    rows = windows_of(steady("192.0.2.1", 40.0, 300))
    assert back.points(rows).equals(model.points(rows))
    assert back.fingerprint == model.fingerprint


def test_the_fingerprint_tells_forests_and_limits_apart() -> None:
    once, other = (train(history(210), seed=seed).model for seed in (4, 5))
    higher = once.about.model_copy(update={"limit": once.about.limit + 1})
    models = (once, other, replace(once, forest=other.forest), replace(once, about=higher))
    assert len({model.fingerprint for model in models}) == len(models)


def test_the_signature_of_all_families_tells_the_model() -> None:
    def signature(model: ClientModel | None, **override: Any) -> str:
        return learned_families(
            {CLIENT_OUTLIER.name: RuleOverride(**override)}, {}, {"model": model}
        ).signature

    model = streams.model()
    about = model.about.model_copy(update={"limit": model.about.limit + 1})
    higher = replace(model, about=about)
    again = read(written(model, SECRET), SECRET)
    assert len({signature(None), signature(model), signature(higher)}) == 3
    assert signature(again) == signature(model)
    assert signature(higher, enabled=False) == signature(None, enabled=False) == signature(None)


def _changed(content: bytes) -> bytes:
    return content[:-9] + b"x" + content[-8:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "no client model of this version"),
        (lambda content: b"\x80\x04pickle" + content, "no client model of this version"),
        (_changed, "not made by this installation"),
        (lambda content: content.replace(b'"limit":', b'"limit":1'), "not made by this"),
        (lambda content: content[:40], "not made by this installation"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(change: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        read(change(written(streams.model(), SECRET)), SECRET)
    assert "vedette train" in str(caught.value)


def test_a_model_of_another_installation_is_refused_before_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("looked at")

    content = written(streams.model(), b"t" * 32)
    monkeypatch.setattr("skops.io.loads", forbidden)
    monkeypatch.setattr(client_model.About, "model_validate_json", forbidden)
    with pytest.raises(ModelError, match="not made by this installation"):
        read(content, SECRET)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"libraries": {"scikit-learn": "0.24"}}, "made with scikit-learn 0.24"),
        ({"libraries": {"skops": "9"}}, "made with skops 9"),
        ({"features": ("requests",)}, "other features"),
    ],
)
def test_a_model_of_other_libraries_or_features_is_refused(
    update: dict[str, object], message: str
) -> None:
    other = replace(streams.model(), about=streams.model().about.model_copy(update=update))
    with pytest.raises(ModelError, match=message):
        read(written(other, SECRET), SECRET)


def test_what_is_known_of_a_model_has_no_address() -> None:
    assert "198.51" not in json.dumps(streams.model().about.model_dump(mode="json"))


def test_the_note_tells_the_three_farthest_with_what_is_usual() -> None:
    usual = dict.fromkeys(FEATURES, Usual(low=1, high=2)) | {"paths": Usual(low=3, high=40)}
    about = streams.model().about.model_copy(update={"usual": usual})
    model = replace(streams.model(), about=about)
    row = dict.fromkeys(FEATURES, 1.5) | {"paths": 41_200.0, "requests": 9_000, "busy": 2.6}
    assert model.note(row) == (
        "in six hours requests 9,000 against 1 to 2; paths 41,200 against 3 to 40;"
        " half minutes with requests 2.6 against 1 to 2 of most clients"
    )
    ordinary = dict.fromkeys(FEATURES, 1.5) | {"paths": 5.0}
    assert "usual by itself" in model.note(ordinary)
