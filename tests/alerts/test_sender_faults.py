"""The program ends between any two statements of the sender, again and again: nothing is lost.

Seen to fail when broken: with the attempt begun after the network call ("counted before it is
made"); a new mark for each attempt, or the end written before the message goes ("at least once");
what is under way not looked at again ("still waiting"); others told of a dead message only after it
is dead (which the test of each statement in turn finds).
"""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine

from alerts.database.models import DeliveryRow, NotificationRow
from detectors.findings import Level
from tests.alerts.sending import MINUTE, SECOND, Answer, Trial, finding, rows

ENTITIES = st.sampled_from(["ann", "bob", "eve"])
ANSWERS: st.SearchStrategy[Answer] = st.sampled_from(
    ["taken", "taken", "down", "refused", "ends before", "ends after"]
)

SECONDS = st.sampled_from([0, 3, 10, 130, 1000])
EXAMPLES = {"sqlite": 60, "postgresql": 15}


class Ending(RuleBasedStateMachine):
    """Findings come, receivers misbehave, time passes, and the program ends anywhere."""

    fresh: Callable[[], Engine]

    @initialize()
    def begin(self) -> None:
        self.trial = Trial(self.fresh())
        self.trial.record(finding(entity="ann"))

    @rule(entity=ENTITIES, level=st.sampled_from([Level.MEDIUM, Level.HIGH]))
    def find(self, entity: str, level: Level) -> None:
        self.trial.record(finding(self.trial.now, level, entity))

    @rule()
    def calm(self) -> None:
        self.trial.now += 16 * MINUTE
        self.trial.record(calm=True)

    @rule(name=st.sampled_from(["a", "b", "c"]), answer=ANSWERS)
    def answer(self, name: str, answer: Answer) -> None:
        self.trial.receivers[name].answer = answer

    @rule(seconds=SECONDS)
    def send(self, seconds: int) -> None:
        self.trial.now += seconds * SECOND
        self.trial.run()

    @rule(seconds=SECONDS, statement=st.integers(1, 30))
    def end(self, seconds: int, statement: int) -> None:
        self.trial.now += seconds * SECOND
        self.trial.run(ends_at=statement)

    def teardown(self) -> None:
        if hasattr(self, "trial"):
            self.trial.finish()
            self.trial.check()


def test_nothing_is_lost_wherever_the_program_ends(emptied: Callable[[], Engine]) -> None:
    kind = emptied().dialect.name

    class Here(Ending):
        fresh = staticmethod(emptied)

    limits = settings(max_examples=EXAMPLES[kind], stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Here, settings=limits)


@pytest.fixture
def trials(emptied: Callable[[], Engine]) -> Callable[[], Trial]:
    return lambda: Trial(emptied())


def story(trial: Trial, ends_at: int | None) -> None:
    """One target refuses, one is down at first; at one statement the program ends."""
    trial.receivers["a"].answer = "refused"
    trial.receivers["c"].answer = "down"
    trial.record(finding(), finding(entity="bob"))
    trial.now += 3 * SECOND
    if trial.run(ends_at=ends_at):
        trial.run()
    trial.receivers["c"].answer = "taken"


def test_at_each_statement_in_turn(trials: Callable[[], Trial]) -> None:
    whole = trials()
    story(whole, None)
    statements = whole.fuse.count
    assert statements > 40
    step = 1 if whole.engine.dialect.name == "sqlite" else 7
    for statement in range(1, statements + 1, step):
        trial = trials()
        story(trial, statement)
        trial.finish()
        trial.check()
        assert {row.target for row in rows(trial.engine, NotificationRow)} == {"a", "b", "c"}
        assert {row.state for row in rows(trial.engine, DeliveryRow)} == {"sent", "dead"}


@pytest.mark.parametrize("answer", ["ends before", "ends after"])
def test_in_the_midst_of_a_message(trials: Callable[[], Trial], answer: Answer) -> None:
    trial = trials()
    trial.receivers["a"].answer = answer
    trial.record(finding())
    trial.now += 3 * SECOND
    assert trial.run()
    trial.finish()
    trial.check()
    marks = [message.notice.mark for message in trial.receivers["a"].came]
    assert len(marks) == (2 if answer == "ends after" else 1)
    assert len(set(marks)) == 1
