"""Shuffled labels: real classifiers on pixels that say nothing of their labels, the best of many trials chosen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness import plugins
from harness.judge.cells import build_cell
from harness.judge.comparison import Cell
from harness.judge.evidence import Measure
from harness.judge.stats import corrected_resampled_t
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.scores import FoldScore, Predictions
from harness.selfcheck.finding import Finding

CHECK = "shuffled labels"
LABELS = ("three", "eight")
OF_EACH = 100  # rows of either digit, so that chance is exactly one half
CHANCE = 0.5
FOLDS = 5
PIXELS = 4  # a candidate sees: the more of them, the more alike the candidates are
STRENGTHS = (0.01, 1.0, 100.0)


def shuffle_labels(*, shuffles: int, candidates: int) -> Iterator[Finding]:
    """Yield whether the best of many candidates flatters itself, and whether its corrected score does not."""
    pixels, truth = _load_digits()
    cells = []
    for child in np.random.SeedSequence(1).spawn(shuffles):
        rng = np.random.default_rng(child)
        cells.append(_judge_shuffled(pixels, rng.permutation(truth), candidates, rng))
    flattery = np.array([cell.raw_best for cell in cells], dtype=np.float64) - CHANCE
    left = np.abs(np.array([cell.score for cell in cells], dtype=np.float64) - CHANCE)
    test = corrected_resampled_t(flattery, test_over_train=0)  # shuffles are independent: the ordinary t
    what = f"{shuffles} shuffles, {candidates} logistic regressions"
    one_sided = test.p / 2 if test.mean > 0 else 1 - test.p / 2
    yield Finding(
        check=CHECK, what=f"raw optimism, {what}: one-sided p of none", figure=one_sided, low=0, high=0.01
    )
    ratio = float(left.mean() / flattery.mean())
    yield Finding(
        check=CHECK,
        what="mean distance of the corrected score from chance, of the mean raw optimism",
        figure=ratio,
        low=0,
        high=0.5,
    )


def _load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, 64) pixels between 0 and 1 of two digits, and which of them each is."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.concatenate([np.flatnonzero(digits.target == digit)[:OF_EACH] for digit in (3, 8)])
    return digits.data[rows] / 16, (digits.target[rows] == 8).astype(np.int64)


def _judge_shuffled(
    pixels: np.ndarray, targets: np.ndarray, candidates: int, rng: np.random.Generator
) -> Cell:
    """Return the cell of a study on shuffled labels, folded, fitted and judged as any other."""
    from harness.learn.folds import split_folds

    ids = tuple(f"{row:03d}" for row in range(len(targets)))
    fold_of = split_folds(ids, np.arange(len(ids)), targets, folds=FOLDS, seed=int(rng.integers(2**31)))
    told: dict[tuple[int, int], Predictions] = {}
    records = []
    for trial in range(candidates):
        seen = pixels[:, rng.choice(pixels.shape[1], PIXELS, replace=False)]
        scores = []
        for fold in range(FOLDS):
            held_out = fold_of == fold
            told[trial, fold] = _fit(seen, targets, held_out, ids, STRENGTHS[trial % len(STRENGTHS)])
            scores.append(_score_fold(trial, fold, told[trial, fold]))
        records.append(
            TrialRecord(study=CHECK, trial=trial, candidate=None, state="complete", folds=tuple(scores))
        )
    measure = Measure(
        score=plugins.find("metrics", "accuracy").score, target=plugins.find("targets", "classes")
    )
    return build_cell(_describe_study(candidates), records, measure, lambda fold: told[fold.trial, fold.fold])


def _fit(
    seen: np.ndarray, targets: np.ndarray, held_out: np.ndarray, ids: tuple[str, ...], strength: float
) -> Predictions:
    """Return what a logistic regression says of the rows that it is not fitted on."""
    target = plugins.find("targets", "classes")
    model = target.make_linear(strength).fit(seen[~held_out], targets[~held_out])
    shares = target.predict_linear(model, seen[held_out], LABELS)
    return Predictions(
        ids=tuple(ids[row] for row in np.flatnonzero(held_out)),
        groups=None,
        targets=target.spell(targets[held_out], LABELS),
        values=target.read_values(shares, LABELS),
        labels=LABELS,
        probabilities=target.read_probabilities(shares),
    )


def _score_fold(trial: int, fold: int, told: Predictions) -> FoldScore:
    right = np.mean([value == target for value, target in zip(told.values, told.targets, strict=True)])
    return FoldScore(study=CHECK, trial=trial, repeat=0, fold=fold, state="ok", valid_score=float(right))


def _describe_study(candidates: int) -> Study:
    return Study(
        id=CHECK,
        task="digits",
        backbone="pixels",
        arm="logistic",
        kind="arm",
        space=None,
        trials=candidates,
        repeats=1,
        folds=FOLDS,
        higher_is_better=True,
        blocks=0,
    )
