"""What is not finite is an outcome with its place, never a value."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.learn.loop import Diverged, Passes, train
from harness.learn.opening import open_bench
from harness.learn.work import _refuse_infinite, _Scorer, open_scorer
from harness.record.ledger import Ledger
from harness.record.scores import FoldJob, FoldScore
from tests.learn.tiny import build_source, make_candidate, make_job


@pytest.mark.parametrize("most", [None, 2])
def test_a_gradient_that_is_not_finite_says_where_though_the_loss_is(most: int | None) -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=3.1e-3)

    def loss(logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        return (logits * 0).abs().sqrt().mean()  # 0, and the slope of a root at 0 is infinite

    with pytest.raises(Diverged, match=r"^gradient not finite at step 1 \(lr 3.1e-03\)$"):
        train(
            model.train,
            lambda rows: model(torch.ones(len(rows), 1)),
            loss,
            optimizer,
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0),
            rows=np.arange(4),
            lengths=np.zeros(4),
            batch_size=4,
            clip=1.0,
            epochs=1,
            order_seed=0,
            stop=None,
            passes=Passes(most=most),
        )
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_loss_that_explodes_in_bfloat16_is_told_too(request: pytest.FixtureRequest) -> None:
    source = build_source(request, compute={"precision": "bfloat16"})
    score = open_scorer(source, 1)(make_job(replace(make_candidate(1), head_lr=1e30, backbone_lr=1e30)))
    assert score.state == "diverged"
    assert score.error is not None
    assert "not finite" in score.error
    assert (score.valid_score, score.metrics, score.predictions) == (None, (), None)
    plain = open_scorer(source, 1)(make_job(make_candidate(1)))
    assert (plain.state, plain.precision) == ("ok", "bfloat16")


def test_an_infinite_score_is_no_score_and_an_undefined_one_is() -> None:
    for part in ("fold", "training part"):
        with pytest.raises(Diverged, match=f"the metric 'rmse' is not finite on the {part}"):
            _refuse_infinite("rmse", {"fold": 1.0, "training part": 1.0} | {part: math.inf})
    _refuse_infinite("auc", {"fold": math.nan, "training part": 0.5})


def score_spoilt(request: pytest.FixtureRequest, job: FoldJob, **spec: Any) -> FoldScore:
    """Return a fold's score on a backbone with a weight that is not a number."""
    scorer = _Scorer(build_source(request, **spec))
    bench = scorer._benches["task", "tiny"] = open_bench(scorer._source, "task", "tiny")
    next(tensor for name, tensor in bench.pristine.items() if "LayerNorm.weight" in name)[0] = math.nan
    return scorer.score(job)


@pytest.mark.parametrize("arm", ["probe", "generic"])
def test_baselines_on_features_that_are_not_finite_say_so(request: pytest.FixtureRequest, arm: str) -> None:
    score = score_spoilt(request, make_job(None, arm=arm), compute={"shelf": "off"})
    assert score.state == "diverged"
    assert score.error is not None
    assert score.error.startswith("features of the untouched backbone not finite, for example of '")
    assert score.valid_score is None


def test_a_backbone_that_is_not_finite_fails_at_the_first_step(request: pytest.FixtureRequest) -> None:
    score = score_spoilt(request, make_job(make_candidate(0)), compute={"shelf": "off"})
    assert score.state == "diverged"
    assert score.error is not None
    assert score.error.startswith("loss not finite at step 1 (lr ")


def test_a_bug_leaves_its_traceback_in_the_run_folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    scorer = _Scorer(build_source(request))
    bench = scorer._benches["task", "tiny"] = open_bench(scorer._source, "task", "tiny")

    def break_belief(module: nn.Module, args: object, kwargs: object) -> None:
        raise AssertionError("widths agree\nand more")

    bench.model.register_forward_pre_hook(break_belief, with_kwargs=True)
    job = make_job(make_candidate(0))
    score = scorer.score(job)
    place = "faults/5a-t0-r0-f0.txt"
    assert (score.state, score.error) == ("error", f"AssertionError: widths agree (traceback: {place})")
    with Ledger.open(tmp_path / "run") as ledger:
        ledger.record_asked(job.study, job.trial, job.candidate)
        ledger.record_fold(score)
    kept = (tmp_path / "run" / place).read_text()
    assert "break_belief" in kept
    assert "widths agree\nand more" in kept
    assert "Traceback" not in (tmp_path / "run" / "ledger.jsonl").read_text()
    assert scorer.score(make_job(None, arm="majority")).state == "ok"


def test_a_fault_of_the_data_has_no_traceback(request: pytest.FixtureRequest) -> None:
    data = {"csv": "texts.csv", "text": "text", "label": "label", "group": "author"}
    source = build_source(request, task={"data": data}, protocol={"folds": 11})
    score = open_scorer(source, 1)(make_job(make_candidate(2, early_stopping={"patience": 1}), fraction=0.05))
    assert score.state == "error"
    assert score.traceback is None
