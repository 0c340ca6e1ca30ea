"""All trials of a run, by study."""

from __future__ import annotations

from collections.abc import Iterator

from harness.record.history import History, TrialRecord


class Counted(dict[tuple[str, int], TrialRecord]):
    """A history's trials, with how often somebody went through all of them."""

    walks = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        self.walks += 1
        return super().__iter__()


def make_trial(study: str, trial: int) -> TrialRecord:
    return TrialRecord(study=study, trial=trial, candidate=None, state="running")


def test_the_trials_of_a_study_stand_in_the_order_of_their_numbers() -> None:
    keys = [("b", 10), ("a", 1), ("b", 2), ("b", 0)]  # trials become durable in any order
    history = History(trials={key: make_trial(*key) for key in keys})
    assert [record.trial for record in history.of("b")] == [0, 2, 10]
    assert history.of("a") == (make_trial("a", 1),)
    assert history.of("c") == ()


def test_many_studies_are_found_in_one_walk_through_all_trials() -> None:
    trials = Counted({(f"{study}", 0): make_trial(f"{study}", 0) for study in range(100)})
    history = History(trials=trials)
    assert all(len(history.of(f"{study}")) == 1 for study in range(100))
    assert trials.walks == 1


def test_a_history_that_was_asked_is_equal_to_one_that_was_not() -> None:
    asked, other = (History(trials={("a", 0): make_trial("a", 0)}) for _ in range(2))
    asked.of("a")
    assert asked == other
