"""Baselines against direct computations with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.errors import ModelError
from harness.learn.baselines import FITS, STRENGTHS, Split, split_inside
from harness.learn.bench import Bench
from harness.learn.features import compute_features, pool
from harness.learn.seeds import Purpose
from tests.learn.tiny import MATERIALS, all_rows, build_source, make_candidate, open_tiny

Open = Callable[..., Bench]


@pytest.fixture
def open_kind(request: pytest.FixtureRequest) -> Open:
    return lambda kind="text-classification", **spec: open_tiny(build_source(request, kind, **spec))


def split_of(bench: Bench) -> Split:
    place = bench.split(0)
    return Split(train=np.flatnonzero(place != 0), valid=np.flatnonzero(place == 0), repeat=0, fold=0)


def embed(bench: Bench, pooling: str) -> np.ndarray:
    """Return features row by row, in a batch of its own each: no padding takes part."""
    bench.reset(0)
    base = bench.model.get_submodule(bench.trunk.base)
    vectors = []
    with torch.no_grad():
        for row in all_rows(bench):
            batch = {name: t for name, t in bench.batch(np.array([row])).items() if name != "labels"}
            output = base.eval()(**batch)
            states = output.last_hidden_state
            vector = {
                "mean": lambda s=states: s.flatten(2).mean(dim=2) if s.ndim == 4 else s.mean(dim=1),
                "cls": lambda s=states: s[:, 0],
                "model": lambda o=output: o.pooler_output.flatten(1),
            }[pooling]()
            vectors.append(vector[0].numpy())
    return np.stack(vectors)


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        *((kind, "mean") for kind in MATERIALS),
        ("text-classification", "cls"),
        ("image-classification", "cls"),
    ],
)
def test_features_are_the_pooled_states_of_each_row_alone(
    open_kind: Open, kind: str, pooling: str, shelf: str
) -> None:
    bench = open_kind(kind, backbone={"pooling": pooling}, compute={"shelf": shelf})
    features = compute_features(bench)
    np.testing.assert_allclose(features, embed(bench, pooling), rtol=0, atol=1e-5)
    again = open_kind(kind, backbone={"pooling": pooling}, compute={"shelf": shelf})
    assert np.array_equal(compute_features(again), features)


def test_the_model_s_own_pooling(open_kind: Open, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_kind("image-classification", checkpoint=checkpoint, backbone={"pooling": "model"})
    np.testing.assert_allclose(compute_features(bench), embed(bench, "model"), rtol=0, atol=1e-5)
    assert bench.features is not None
    assert bench.features.shape == (30, 12)


def test_a_pooling_that_a_backbone_lacks_is_an_error_that_says_so(
    open_kind: Open, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ModelError, match="no pooled output of its own; use mean or cls"):
        compute_features(open_kind("audio-classification", backbone={"pooling": "model"}))
    checkpoint = request.getfixturevalue("tiny_resnet")
    with pytest.raises(ModelError, match="no first position; use mean"):
        compute_features(
            open_kind("image-classification", checkpoint=checkpoint, backbone={"pooling": "cls"})
        )


def test_the_mean_leaves_masked_positions_out() -> None:
    states = torch.arange(24.0).reshape(2, 3, 4)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    pooled = pool({"last_hidden_state": states}, mask, "mean")
    assert torch.equal(pooled[0], states[0, :2].mean(dim=0))
    assert torch.equal(pooled[1], states[1].mean(dim=0))


def test_a_mask_of_samples_is_one_of_frames() -> None:
    """Of a clip that fills half of its width half of the frames count."""
    states = torch.arange(24.0).reshape(2, 6, 2)
    mask = torch.zeros(2, 600)
    mask[0, :300], mask[1] = 1, 1
    pooled = pool({"last_hidden_state": states}, mask, "mean")
    assert torch.equal(pooled[0], states[0, :3].mean(dim=0))
    assert torch.equal(pooled[1], states[1].mean(dim=0))


def test_features_are_those_of_the_pretrained_weights(open_kind: Open) -> None:
    from harness.learn.fit import fit_candidate
    from tests.learn.tiny import SEEDS

    clean = compute_features(open_kind(compute={"shelf": "off"}))
    bench = open_kind(compute={"shelf": "off"})
    with fit_candidate(bench, make_candidate(0, head_lr=0.1, backbone_lr=0.1), all_rows(bench), SEEDS):
        pass
    assert np.array_equal(compute_features(bench), clean)


@pytest.mark.parametrize("kind", MATERIALS)
def test_majority_is_the_most_frequent_class_or_the_mean(open_kind: Open, kind: str) -> None:
    bench = open_kind(kind)
    split = split_of(bench)
    split = replace(split, train=split.train[1:])  # no tie
    known = bench.targets[split.train]
    predictions = FITS["majority"](bench, split)(split.valid)
    if not bench.labels:
        assert np.array_equal(predictions, np.full(len(split.valid), known.mean()))
        return
    shares = np.bincount(known, minlength=2) / len(known)
    assert np.array_equal(predictions, np.tile(shares, (len(split.valid), 1)))
    assert set(predictions.argmax(axis=1)) == {int(np.bincount(known).argmax())}


@pytest.mark.parametrize("kind", MATERIALS)
def test_generic_is_the_nearest_class_mean_or_a_ridge(open_kind: Open, kind: str) -> None:
    bench = open_kind(kind)
    split = split_of(bench)
    features = compute_features(bench).astype(np.float64)
    known, asked = features[split.train], features[split.valid]
    predictions = FITS["generic"](bench, split)(split.valid)
    if not bench.labels:
        ridge = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(known, bench.targets[split.train])
        np.testing.assert_allclose(predictions, ridge.predict(asked))
        return
    nearest = NearestCentroid().fit(known, bench.targets[split.train])
    assert np.array_equal(predictions.argmax(axis=1), nearest.predict(asked))
    logits = -(((asked[:, None] - nearest.centroids_[None]) ** 2).sum(axis=2))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(predictions, exponentials / exponentials.sum(axis=1, keepdims=True))


def choose(bench: Bench, split: Split, features: np.ndarray, steps: list[object]) -> np.ndarray:
    """Return the predictions of a linear model whose strength scored best on three inner folds."""
    targets, train = bench.targets, split.train
    inner = split_inside(bench, split, folds=3, purpose=Purpose.STRENGTH)

    def model(strength: float) -> object:
        last = LogisticRegression(C=strength, max_iter=1000) if bench.labels else Ridge(alpha=strength)
        return make_pipeline(*steps, last)

    def score(strength: float) -> float:
        parts = []
        for fold in range(3):
            fitted = model(strength).fit(features[train[inner != fold]], targets[train[inner != fold]])  # type: ignore[attr-defined]
            predicted, known = fitted.predict(features[train[inner == fold]]), targets[train[inner == fold]]
            parts.append(np.mean(predicted == known) if bench.labels else -np.mean((predicted - known) ** 2))
        return float(np.mean(parts))

    best = model(max(STRENGTHS, key=score)).fit(features[train], targets[train])  # type: ignore[attr-defined]
    found: np.ndarray = (best.predict_proba if bench.labels else best.predict)(features[split.valid])
    return found


@pytest.mark.parametrize("kind", MATERIALS)
def test_probe_is_a_linear_model_on_scaled_features(open_kind: Open, kind: str) -> None:
    bench = open_kind(kind)
    split = split_of(bench)
    expected = choose(bench, split, compute_features(bench), [StandardScaler()])
    np.testing.assert_allclose(FITS["probe"](bench, split)(split.valid), expected)


@pytest.mark.parametrize("kind", ["text-classification", "text-regression"])
def test_classical_is_a_linear_model_on_tf_idf(open_kind: Open, kind: str) -> None:
    bench = open_kind(kind)
    split = split_of(bench)
    texts = np.array(bench.examples.inputs, dtype=object)
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    expected = choose(bench, split, texts, [tfidf])
    predictions = FITS["classical"](bench, split)(split.valid)
    np.testing.assert_allclose(predictions, expected)
    if bench.labels:
        assert (predictions.argmax(axis=1) == bench.targets[split.valid]).mean() > 0.9


def test_a_class_that_the_training_part_lacks_has_no_probability(open_kind: Open) -> None:
    bench = open_kind()
    bench.labels = (*bench.labels, "third")
    split = split_of(bench)
    for name in ("classical", "probe", "majority"):
        predictions = FITS[name](bench, split)(split.valid)
        assert predictions.shape == (len(split.valid), 3)
        assert not predictions[:, 2].any()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", ["text-classification", "text-regression"])
def test_a_baseline_is_fitted_however_few_groups_there_are(open_kind: Open, kind: str, groups: int) -> None:
    bench = open_kind(kind)
    split = split_of(bench)
    bench.groups = all_rows(bench) % groups
    assert len(FITS["classical"](bench, split)(split.valid)) == len(split.valid)
    if bench.labels:  # a group for each class: no inner fold can be fitted
        bench.groups = bench.targets.copy()
        assert len(FITS["probe"](bench, split)(split.valid)) == len(split.valid)
