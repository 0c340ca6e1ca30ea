"""A job becomes a score: the same one each time, whatever the bench did before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.candidate import Candidate
from harness.errors import DataError
from harness.learn import work
from harness.learn.baselines import FITS, Split
from harness.learn.work import open_scorer
from harness.record.scores import FoldJob, FoldScore
from tests.learn.tiny import MATERIALS, build_source, make_candidate, make_job, open_tiny, without_times


def assert_same_score(first: FoldScore, second: FoldScore) -> None:
    """Everything but times is equal, predictions to the bit."""
    assert repr(without_times(first)) == repr(
        without_times(second)
    )  # an undefined metric is NaN, equal to nothing
    assert first.predictions is not None
    assert second.predictions is not None
    assert first.predictions.values == second.predictions.values
    if first.predictions.probabilities is not None:
        assert second.predictions.probabilities is not None
        assert np.array_equal(first.predictions.probabilities, second.predictions.probabilities)


def wild(candidate: Candidate) -> Candidate:
    return replace(candidate, head_lr=1e30, backbone_lr=None if candidate.backbone_lr is None else 1e30)


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize("kind", MATERIALS)
def test_a_job_has_one_score_whatever_ran_before(
    request: pytest.FixtureRequest, kind: str, shelf: str
) -> None:
    source = build_source(request, kind, compute={"shelf": shelf})
    jobs = [
        make_job(make_candidate(0, dropout=0.2), trial=0),
        make_job(make_candidate(1, early_stopping={"patience": 1}, epochs=3), trial=1, fold=1),
        make_job(make_candidate(2, dropout=0.4), trial=2),
        make_job(None, arm="probe"),
    ]
    scorer = open_scorer(source, 1)
    first = [scorer(job) for job in jobs]
    assert {score.state for score in first} == {"ok"}
    scorer(make_job(make_candidate(1, dropout=0.5, batch_norm="trained", layer_decay=0.3), trial=8))
    assert scorer(make_job(wild(make_candidate(0)), trial=9)).state == "diverged"
    for job, score in reversed(list(zip(jobs, first, strict=True))):
        assert_same_score(scorer(job), score)
    fresh = open_scorer(source, 1)
    for job, score in reversed(list(zip(jobs, first, strict=True))):
        assert_same_score(fresh(job), score)


def test_a_batch_norm_that_learned_leaves_nothing_behind(request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    scorer = open_scorer(build_source(request, "image-classification", checkpoint=checkpoint), 1)
    job = make_job(make_candidate(1))
    first = scorer(job)
    scorer(make_job(make_candidate(0, batch_norm="trained"), trial=1))
    assert_same_score(scorer(job), first)


def test_split_order_and_head_are_the_same_for_all_arms_and_dropout_is_not(
    request: pytest.FixtureRequest,
) -> None:
    bench = open_tiny(build_source(request))
    base = make_job(make_candidate(1))
    arms = [
        base,
        replace(base, study="ffffffffffffffff"),
        replace(base, trial=1),
        replace(base, study="1", trial=7),
    ]
    seeds = [work._derive_seeds(bench, job) for job in arms]
    assert len({(seed.head, seed.order) for seed in seeds}) == 1
    assert len({seed.dropout for seed in seeds}) == len(arms)
    elsewhere = [
        work._derive_seeds(bench, replace(base, **where)) for where in ({}, {"fold": 1}, {"repeat": 1})
    ]
    for purpose in ("head", "order", "dropout"):
        assert len({getattr(seed, purpose) for seed in elsewhere}) == 3
    assert not {seeds[0].head, seeds[0].order} & {seed.dropout for seed in seeds}


def test_arms_of_one_fold_start_from_one_head_and_see_one_order(request: pytest.FixtureRequest) -> None:
    """With rates of almost nothing the logits are those of the untrained head: equal for all arms at one fold."""
    scorer = open_scorer(build_source(request), 1)
    still: dict[str, Any] = {"head_lr": 1e-30, "backbone_lr": 1e-30, "weight_decay": 0.0}
    scores = [
        scorer(make_job(make_candidate(depth, **still), trial=depth, study=f"{depth}a")) for depth in range(3)
    ]
    for score in scores[1:]:
        assert score.predictions is not None
        np.testing.assert_allclose(
            score.predictions.probabilities,
            scores[0].predictions.probabilities,
            rtol=0,
            atol=1e-6,  # type: ignore[union-attr]
        )
    other = scorer(make_job(make_candidate(1, **still), repeat=1))
    assert other.valid_loss != scores[1].valid_loss


def test_a_score_says_what_the_fit_came_to(request: pytest.FixtureRequest) -> None:
    source = build_source(request, task={"metric": "log-loss", "metrics": ["accuracy", "log-loss"]})
    score = open_scorer(source, 1)(make_job(make_candidate(1, epochs=3)))
    assert (score.state, score.error, score.metric) == ("ok", None, "log-loss")
    assert (score.freeze_depth, score.blocks, score.epochs, score.n_train) == (1, 2, 3, 40)
    assert score.steps == 3 * 5
    assert dict(score.metrics)["log-loss"] == score.valid_score == pytest.approx(score.valid_loss, abs=1e-6)
    assert score.train_score == pytest.approx(score.train_loss, abs=1e-6)
    assert score.predictions is not None
    assert len(score.predictions.ids) == 20
    right = [
        value == target
        for value, target in zip(score.predictions.values, score.predictions.targets, strict=True)
    ]
    assert dict(score.metrics)["accuracy"] == np.mean(right)
    assert score.frozen_proof
    assert len(score.frozen_proof) == 64
    assert score.cpu_s > 0
    assert score.shelf_hit is False


def test_all_rows_are_predicted_once_over_the_folds(request: pytest.FixtureRequest) -> None:
    scorer = open_scorer(build_source(request), 1)
    ids: list[str] = []
    for fold in range(3):
        score = scorer(make_job(make_candidate(2), fold=fold))
        assert score.predictions is not None
        ids += score.predictions.ids
        assert score.n_train + len(score.predictions.ids) == 60
    assert len(set(ids)) == len(ids) == 60


def test_an_explosion_is_an_outcome_with_its_step_and_rate(request: pytest.FixtureRequest) -> None:
    score = open_scorer(build_source(request), 1)(make_job(wild(make_candidate(1))))
    assert score.state == "diverged"
    assert score.error is not None
    assert score.error.startswith(("loss not finite at step 2 (lr ", "predictions not finite"))
    assert score.valid_score is None


def test_early_stopping_is_refitted_on_the_whole_training_part(request: pytest.FixtureRequest) -> None:
    stopped = open_scorer(build_source(request), 1)(
        make_job(make_candidate(1, epochs=4, early_stopping={"patience": 1}))
    )
    assert stopped.epochs is not None
    plain = open_scorer(build_source(request), 1)(make_job(make_candidate(1, epochs=stopped.epochs)))
    assert_same_score(replace(stopped, frozen_proof=plain.frozen_proof), plain)
    assert stopped.n_train == 40


@pytest.mark.parametrize(("share", "rows"), [(0.05, 2), (0.15, 6), (0.4, 16), (0.8, 32)])
def test_early_stopping_holds_out_the_share_it_was_told(
    request: pytest.FixtureRequest, share: float, rows: int
) -> None:
    bench = open_tiny(build_source(request))
    place = bench.split(0)
    split = Split(train=np.flatnonzero(place != 0), valid=np.flatnonzero(place == 0), repeat=0, fold=0)
    held_out = work._hold_out(bench, split, share)
    assert abs(int(held_out.sum()) - rows) <= 1
    classes = bench.targets[split.train][held_out]
    assert abs(classes.mean() - 0.5) <= 1 / rows


def test_early_stopping_with_few_groups_holds_out_whole_ones(request: pytest.FixtureRequest) -> None:
    data = {"csv": "texts.csv", "text": "text", "label": "label", "group": "author"}
    bench = open_tiny(build_source(request, task={"data": data}))
    place = bench.split(0)
    split = Split(train=np.flatnonzero(place != 0), valid=np.flatnonzero(place == 0), repeat=0, fold=0)
    held_out = work._hold_out(bench, split, 0.15)
    groups = bench.groups[split.train]
    assert not set(groups[held_out]) & set(groups[~held_out])
    alone = replace(split, train=split.train[groups == groups[0]])
    with pytest.raises(DataError, match="early stopping needs two groups"):
        work._hold_out(bench, alone, 0.15)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_every_baseline_is_scored(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    job: FoldJob = make_job(None, arm=name)
    score = open_scorer(build_source(request, kind), 1)(job)
    assert (score.state, score.trainable_parameters, score.freeze_depth) == ("ok", 0, None)
    assert score.predictions is not None
    if score.predictions.probabilities is not None:
        np.testing.assert_allclose(score.predictions.probabilities.sum(axis=1), 1, atol=1e-5)


def test_predictions_name_the_twins_that_share_a_fold(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Two rows of one text under two ids are one piece of evidence: bags must draw them as one."""
    source = build_source(
        request, task={"data": {"csv": "twins.csv", "text": "text", "label": "label", "id": "id"}}
    )
    rows = [
        (f"r{number:02d}", f"good day {number % 24}", "pos" if number % 2 else "neg") for number in range(30)
    ]
    lines = ["id,text,label", *(",".join(row) for row in rows)]
    (tmp_path / "twins.csv").write_text("\n".join(lines) + "\n")
    scorer = open_scorer(source, 1)
    found = [scorer(make_job(make_candidate(2), fold=fold)).predictions for fold in range(3)]
    told = {
        name: cluster
        for each in found
        if each is not None and each.clusters is not None
        for name, cluster in zip(each.ids, each.clusters, strict=True)
    }
    assert told == {name: f"r{int(name[1:]) % 24:02d}" for name, _, _ in rows}
    apart = open_scorer(build_source(request), 1)(make_job(make_candidate(2))).predictions
    assert apart is not None
    assert apart.clusters is None  # no two texts are alike: ids say as much
