"""A run of thousands of trials that has ended, made in seconds: `finished.py FOLDER [TRIALS]`.

FOLDER gets a suite that the commands take as any other, and its results: every line and file is encoded as the ledger
encodes it, and only the waiting for the disk is left out. Scores and predictions are drawn from a seed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from harness.candidate import Candidate, build_candidate, list_depths
from harness.plan import Plan, Study
from harness.record import lines
from harness.record.ledger import LEDGER
from harness.record.lock import Lock, write_lock
from harness.record.predictions import FOLDER, encode_predictions, predictions_name
from harness.record.scores import FoldScore, Predictions
from harness.spec.ranges import Span

FOLDS, ROWS, AUTHORS = 3, 300, 60
SUITE = """\
version: 1
name: many
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: mood, group: author}
    metric: macro-f1
  topic:
    type: text-classification
    data: {csv: texts.csv, text: text, label: topic, group: author}
    metric: accuracy
    metrics: [macro-f1, log-loss]
  tone:
    type: text-classification
    data: {csv: texts.csv, text: text, label: mood}
    metric: auc
  score:
    type: text-regression
    data: {csv: texts.csv, text: text, label: score, group: author}
    metric: rmse
  rank:
    type: text-regression
    data: {csv: texts.csv, text: text, label: score}
    metric: spearman
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all, head_lr: {log: [1e-4, 1e-1]}, weight_decay: {log: [1e-6, 1e-1]}}
  full: {freeze_depth: 0, head_lr: {log: [1e-4, 1e-2]}, backbone_lr: {log: [1e-6, 1e-3]}}
  depth:
    freeze_depth: {int: [0, all]}
    head_lr: {log: [1e-4, 1e-2]}
    backbone_lr: {log: [1e-6, 1e-3]}
    dropout: {float: [0, 0.3]}
  short: {freeze_depth: 0, epochs: 1, head_lr: {log: [1e-4, 1e-2]}, backbone_lr: {log: [1e-6, 1e-3]}}
  smooth: {freeze_depth: 1, head_lr: {log: [1e-4, 1e-2]}, backbone_lr: {log: [1e-6, 1e-3]}, weight_decay: 0.1}
baselines: [majority]
protocol: {folds: 3}
search: {trials: TRIALS, pruner: none}
compute: {workers: 1}
"""
STUDIES = 25  # five tasks, five arms


def make_finished(folder: Path, checkpoint: Callable[[Path], object], *, trials: int) -> Path:
    """Write a suite and its finished run of `trials` trials, and return the spec; `checkpoint` writes a backbone."""
    from harness.assets.progress import SILENCE
    from harness.learn.survey import survey_spec
    from harness.plan import expand
    from harness.spec.load import load_spec
    from harness.supply import open_source

    folder.mkdir(parents=True, exist_ok=True)
    checkpoint(folder / "tiny-bert")
    _write_texts(folder / "texts.csv")
    file = folder / "many.yaml"
    file.write_text(SUITE.replace("TRIALS", str(trials // STUDIES)))
    spec = load_spec(file)
    source = open_source(spec, base=folder, offline=True, progress=SILENCE)
    plan = expand(spec, survey_spec(source))
    run = folder / "results" / spec.name
    (run / FOLDER).mkdir(parents=True)
    (run / "spec.yaml").write_bytes(file.read_bytes())
    write_lock(run, Lock(spec_json=source.spec_json, base=folder, survey=plan.survey))
    events = enumerate(_finish(run, plan), start=1)
    (run / LEDGER).write_bytes(b"".join(lines.encode_line(number, event) for number, event in events))
    return file


def _write_texts(file: Path) -> None:
    rows = ["text,mood,topic,score,author"]
    for number in range(ROWS):
        mood, words = ("pos", "good fine warm") if number % 2 else ("neg", "bad grim cold")
        rows.append(f"the film was {words} {number},{mood},t{number % 5},{number / 100},a{number % AUTHORS}")
    file.write_text("\n".join(rows) + "\n")


def _finish(run: Path, plan: Plan) -> Iterator[lines.Event]:
    """Yield the events of every study in turn, after their predictions were written."""
    for place, study in enumerate(plan.studies):
        draw = np.random.default_rng([7, place])
        labels = plan.survey.tasks[study.task].labels
        for trial in range(study.trials):
            candidate = None if study.space is None else _draw_candidate(study, draw)
            yield lines.Asked(study=study.id, trial=trial, candidate=candidate)
            for fold in range(study.folds):
                score = _make_score(study, trial, fold, labels, draw)
                assert score.predictions is not None
                data = encode_predictions(score, score.predictions)
                (run / FOLDER / predictions_name(score.key)).write_bytes(data)
                yield lines.Folded(score=_settle(score, data), candidate=candidate)
            yield lines.Ended(study=study.id, trial=trial, state="complete", reason="")


def _settle(score: FoldScore, data: bytes) -> FoldScore:
    from dataclasses import replace

    return replace(score, predictions=None, predictions_sha256=hashlib.sha256(data).hexdigest())


def _draw_candidate(study: Study, draw: np.random.Generator) -> Candidate:
    assert study.space is not None
    drawn: dict[str, object] = {}
    for name, value in study.space.values:
        if name == "freeze_depth":
            drawn[name] = int(draw.choice(list_depths(value)))
        if isinstance(value, Span) and value.scale == "float":
            drawn[name] = float(draw.uniform(float(value.low), float(value.high)))
        if isinstance(value, Span) and value.scale == "log":
            drawn[name] = float(np.exp(draw.uniform(np.log(float(value.low)), np.log(float(value.high)))))
    return build_candidate(study.space, drawn)  # type: ignore[arg-type]  # scalars, all of them


def _make_score(
    study: Study, trial: int, fold: int, labels: tuple[str, ...], draw: np.random.Generator
) -> FoldScore:
    numbers = range(fold, ROWS, study.folds)
    predictions = _guess(study, numbers, labels, draw)
    value = 0.6 + 0.2 * float(draw.random())
    return FoldScore(
        study=study.id, trial=trial, repeat=0, fold=fold, state="ok", freeze_depth=1, blocks=study.blocks,
        seed=fold, n_train=ROWS - len(numbers), metric="m", train_score=value + 0.1, valid_score=value,
        train_loss=0.4, valid_loss=0.5, metrics=(("m", value),), epochs=3, steps=21, fit_s=1.5, cpu_s=1.5,
        trainable_parameters=1000 + trial, peak_rss_bytes=10**9, shelf_hit=True, frozen_proof="f" * 64,
        started_at="2026-01-01T00:00:00+00:00", host="here", predictions=predictions,
    )  # fmt: skip


def _guess(study: Study, numbers: range, labels: tuple[str, ...], draw: np.random.Generator) -> Predictions:
    ids = tuple(f"{number:05d}" for number in numbers)
    groups = None if study.task in ("tone", "rank") else tuple(f"a{number % AUTHORS}" for number in numbers)
    if not labels:
        true = np.array([number / 100 for number in numbers])
        values = tuple((true + draw.normal(0, 1, len(true))).tolist())
        return Predictions(ids=ids, groups=groups, targets=tuple(true.tolist()), values=values)
    truth = np.array([number % len(labels) for number in numbers])
    shares = draw.random((len(truth), len(labels))) + 0.5 * np.eye(len(labels))[truth]
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(
        ids=ids,
        groups=groups,
        targets=tuple(labels[index] for index in truth),
        values=tuple(labels[index] for index in shares.argmax(axis=1)),
        labels=labels,
        probabilities=shares,
    )


if __name__ == "__main__":
    from tests.conftest import make_bert

    make_finished(Path(sys.argv[1]), make_bert, trials=int(sys.argv[2]) if len(sys.argv) > 2 else 5000)
