from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from harness.candidate import Candidate, build_candidate, count_candidates
from harness.errors import SpecError
from harness.plan import Study
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldJob, FoldScore
from harness.search.points import check_grids, drawn_values, hash_words, walk_points
from harness.search.proposals import Proposals
from harness.spec.models import Search
from tests.search.made import BLOCKS, SEARCHED, make_plan, make_score, make_space, make_study, run_plan

EMPTY = History(trials={})
SMALL = {
    "freeze_depth": {"int": [3, "all"]},
    "backbone_lr": {"choice": [1e-5, 1e-4]},
    "epochs": {"int": [1, 2]},
}


def open_new(folder: Path, study: Study, search: Search | None = None) -> Proposals:
    return Proposals.open(folder, study, search or Search(startup=2), EMPTY)


def ask_all(proposals: Proposals) -> Iterator[tuple[int, Candidate]]:
    while (asked := proposals.ask()) is not None:
        yield asked


def as_score(trial: int, fold: int, value: float) -> FoldScore:
    return FoldScore(study="", trial=trial, repeat=0, fold=fold, state="ok", valid_score=value)


def journal(folder: Path, study: Study) -> Path:
    return folder / "studies" / f"{study.id}.journal"


def load_plainly(folder: Path, study: Study) -> optuna.Study:
    path = str(journal(folder, study))
    storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    return optuna.load_study(study_name=None, storage=storage)


def test_trials_are_numbered_from_zero_and_end_with_the_budget(tmp_path: Path) -> None:
    asked = list(ask_all(open_new(tmp_path, make_study(trials=6))))
    assert [number for number, _ in asked] == [0, 1, 2, 3, 4, 5]
    assert len({candidate.digest() for _, candidate in asked}) == 6


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_backbone_rate_is_not_drawn_where_all_blocks_are_frozen(tmp_path: Path, sampler: str) -> None:
    study = make_study(trials=30)
    search = Search.model_validate({"sampler": sampler, "startup": 2})
    proposals = Proposals.open(tmp_path, study, search, EMPTY)
    for number, candidate in ask_all(proposals):
        assert (candidate.backbone_lr is None) == (candidate.freeze_depth == BLOCKS)
        proposals.tell(number, "complete", 1.0 / (number + 1))
    depths = [trial.params["freeze_depth"] for trial in load_plainly(tmp_path, study).trials]
    assert BLOCKS in depths
    for trial in load_plainly(tmp_path, study).trials:
        assert ("backbone_lr" in trial.params) == (trial.params["freeze_depth"] < BLOCKS)
        assert next(iter(trial.params)) == "freeze_depth"


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_an_arm_with_few_candidates_runs_each_of_them_once(tmp_path: Path, sampler: str) -> None:
    space = make_space(**SMALL)
    assert count_candidates(space) == 6
    study = make_study(trials=20, space=space)
    search = Search.model_validate({"sampler": sampler, "startup": 2})
    proposals = Proposals.open(tmp_path, study, search, EMPTY)
    digests = []
    for number, candidate in ask_all(proposals):
        proposals.tell(number, "complete", float(number))
        digests.append(candidate.digest())
    points = [build_candidate(space, point).digest() for point in walk_points(space, 1)]
    assert len(digests) == len(set(digests)) == 6
    assert sorted(digests) == sorted(points)


def test_an_arm_with_nothing_to_search_is_asked_once(tmp_path: Path) -> None:
    study = make_study(trials=3, space=make_space(head_lr=1e-2))
    assert [candidate.head_lr for _, candidate in ask_all(open_new(tmp_path, study))] == [1e-2]


def test_a_grid_over_a_continuous_range_names_every_such_value() -> None:
    study = make_study("depth", space=make_space(**SEARCHED))
    with pytest.raises(SpecError) as fault:
        check_grids([study, make_study("majority")])
    assert fault.value.exit_code == 2
    for name in ("head_lr", "backbone_lr", "dropout"):
        assert f"arms.depth.{name}: sampler grid" in str(fault.value)
    assert "freeze_depth" not in str(fault.value)
    with pytest.raises(SpecError, match="at most 1000000"):
        check_grids([make_study(space=make_space(epochs={"int": [1, 2000]}, batch_size={"int": [1, 1000]}))])


def test_what_is_proposed_depends_on_the_answers_and_not_on_the_process(tmp_path: Path) -> None:
    """One process, and one that opens the study anew before every ask from the ledger alone, agree."""
    study, search = make_study(trials=8), Search(startup=2)
    steady = Proposals.open(tmp_path / "a", study, search, EMPTY)
    records: dict[tuple[str, int], TrialRecord] = {}
    for number in range(8):
        anew = Proposals.open(tmp_path / "b", study, search, History(trials=records))
        asked = anew.ask()
        assert asked is not None
        assert steady.ask() == asked
        folds = tuple(as_score(number, fold, 0.1 * number + 0.01 * fold) for fold in range(2))
        for fold in range(2):
            steady.report(number, fold, 0.1 * number + 0.005 * fold)
        state = "pruned" if number == 5 else "complete"
        mean = sum(fold.valid_score or 0.0 for fold in folds) / 2
        steady.tell(number, state, mean if state == "complete" else None)
        records[study.id, number] = TrialRecord(
            study=study.id, trial=number, candidate=asked[1], state=state, folds=folds
        )


def test_the_journal_is_an_ordinary_optuna_study(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        if job.trial == 1:
            raise ValueError("boom")
        return make_score(job)

    study = make_study(trials=8, folds=3)
    _, history = run_plan(tmp_path, make_plan(study), Search(trials=8, startup=2), score=score)
    plain = load_plainly(tmp_path, study)
    assert plain.study_name == study.id
    assert plain.user_attrs == {"task": "reviews", "backbone": "minilm", "arm": "depth"}
    states = [trial.state.name.lower() for trial in plain.trials]
    ours = [history.trials[key].state for key in sorted(history.trials)]
    assert states == [{"failed": "fail"}.get(state, state) for state in ours]
    assert {"complete", "pruned", "fail"} <= set(states)
    for trial, key in zip(plain.trials, sorted(history.trials), strict=True):
        candidate = history.trials[key].candidate
        assert candidate is not None
        assert study.space is not None
        assert trial.params == drawn_values(study.space, candidate)
    assert plain.best_trial.value is not None


def test_a_journal_that_agrees_is_left_as_it_is(tmp_path: Path) -> None:
    study, search = make_study(), Search(startup=2)
    _, history = run_plan(tmp_path, make_plan(study), search)
    before = journal(tmp_path, study).read_bytes()
    Proposals.open(tmp_path, study, search, history)
    assert journal(tmp_path, study).read_bytes() == before


@pytest.mark.parametrize("damage", ["deleted", "empty", "middle", "value", "ahead", "behind", "noise"])
def test_a_journal_that_is_lost_or_damaged_is_rebuilt_from_the_ledger(tmp_path: Path, damage: str) -> None:
    study, search = make_study(), Search(startup=2)
    _, history = run_plan(tmp_path, make_plan(study), search)
    path = journal(tmp_path, study)
    whole = load_plainly(tmp_path, study).get_trials()
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    if damage == "deleted":
        path.unlink()
    if damage == "ahead":
        optuna.load_study(study_name=None, storage=load_plainly(tmp_path, study)._storage).ask()
    changed = {
        "empty": b"",
        "middle": b"".join(lines[:5]) + b'{"op_code": 4, "stu\n' + b"".join(lines[6:]),
        "value": data.replace(b'"values":[0.', b'"values":[0.1'),
        "behind": b"".join(lines[: len(lines) // 2]),
        "noise": b'["what"]\n' + data,
    }.get(damage)
    if changed is not None:
        assert changed != data
        path.write_bytes(changed)
    Proposals.open(tmp_path, study, search, history)
    after = load_plainly(tmp_path, study).get_trials()
    assert [(t.params, t.state, t.value, t.intermediate_values) for t in after] == [
        (t.params, t.state, t.value, t.intermediate_values) for t in whole
    ]


def test_a_journal_torn_at_any_byte_of_its_last_line_opens(tmp_path: Path) -> None:
    study, search = make_study(trials=2), Search(startup=2)
    _, history = run_plan(tmp_path, make_plan(study), search)
    path = journal(tmp_path, study)
    data = path.read_bytes()
    start = data[:-1].rfind(b"\n") + 1
    for cut in range(start, len(data)):
        path.write_bytes(data[:cut])
        Proposals.open(tmp_path, study, search, history)
        assert [trial.state.name for trial in load_plainly(tmp_path, study).trials] == ["COMPLETE"] * 2


def test_trials_that_were_running_are_adopted(tmp_path: Path) -> None:
    study = make_study(trials=3)
    number, candidate = next(ask_all(open_new(tmp_path, study)))
    running = TrialRecord(
        study=study.id,
        trial=number,
        candidate=candidate,
        state="running",
        folds=(as_score(number, 0, 0.6),),
    )
    adopted = Proposals.open(tmp_path, study, Search(startup=2), History(trials={(study.id, 0): running}))
    adopted.report(0, 0, 0.6)
    adopted.report(0, 1, 0.7)
    adopted.tell(0, "complete", 0.7)
    assert adopted.ask() is not None
    first, second = load_plainly(tmp_path, study).trials
    assert (first.value, first.intermediate_values, first.state.name) == (0.7, {0: 0.6, 1: 0.7}, "COMPLETE")
    assert second.state.name == "RUNNING"


def test_a_trial_that_was_asked_and_never_recorded_is_asked_again(tmp_path: Path) -> None:
    study = make_study(trials=3)
    first = open_new(tmp_path, study).ask()
    assert open_new(tmp_path, study).ask() == first
    assert len(load_plainly(tmp_path, study).trials) == 1


@pytest.mark.parametrize("higher", [True, False])
def test_the_median_rule_waits_for_the_first_trials_and_knows_the_direction(
    tmp_path: Path, *, higher: bool
) -> None:
    proposals = open_new(tmp_path, make_study(trials=9, higher_is_better=higher))
    sign = 1 if higher else -1
    for trial, mean in enumerate((0.5, 0.6, 0.7)):
        proposals.ask()
        proposals.report(trial, 0, sign * mean)
        assert not proposals.should_prune(trial) or trial == 2
        proposals.tell(trial, "complete", sign * mean)
    for mean, pruned in ((0.59, True), (0.6, False), (0.61, False)):
        asked = proposals.ask()
        assert asked is not None
        assert not proposals.should_prune(asked[0])
        proposals.report(asked[0], 0, sign * mean)
        assert proposals.should_prune(asked[0]) == pruned
        proposals.report(asked[0], 1, sign * 0.1)  # no complete trial has come so far
        assert not proposals.should_prune(asked[0])


def test_a_pruner_that_is_off_prunes_nothing(tmp_path: Path) -> None:
    proposals = open_new(tmp_path, make_study(), Search(pruner="none", startup=0))
    for trial, mean in enumerate((0.5, 0.1)):
        proposals.ask()
        proposals.report(trial, 0, mean)
        assert not proposals.should_prune(trial)
        proposals.tell(trial, "complete", mean)


def test_tpe_learns_with_no_random_start(tmp_path: Path) -> None:
    assert len(list(ask_all(open_new(tmp_path, make_study(trials=3), Search(startup=0))))) == 3


def test_optuna_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        run_plan(tmp_path, make_plan(make_study()), Search())
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_five_thousand_trials_are_rebuilt_in_time(tmp_path: Path) -> None:
    study = make_study(trials=5000, folds=5)
    assert study.space is not None
    candidate = build_candidate(
        study.space, {"freeze_depth": 1, "head_lr": 1e-2, "backbone_lr": 1e-4, "dropout": 0.1}
    )
    records = {
        (study.id, trial): TrialRecord(
            study=study.id,
            trial=trial,
            candidate=replace(candidate, head_lr=1e-4 + trial * 1e-7),
            state="complete",
            folds=tuple(as_score(trial, fold, 0.5) for fold in range(5)),
        )
        for trial in range(5000)
    }
    began = time.process_time()
    Proposals.open(tmp_path, study, Search(), History(trials=records))
    assert time.process_time() - began < 20


def test_seeds_are_the_same_in_every_process() -> None:
    assert hash_words("a", "tpe", 1, 0) == 0xA2A19C06
    assert hash_words("a", "tpe", 1, 1) != hash_words("a", "tpe", 11)
