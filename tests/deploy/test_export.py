"""An export: loads by itself, and predicts what the harness predicted."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, pipeline

from harness.deploy import export as module
from harness.deploy.export import ExportError, export_model
from harness.deploy.refit import Winner, refit_winner
from harness.errors import ModelError, StorageError
from harness.learn.bench import Bench
from harness.learn.loop import compute_logits
from harness.learn.opening import open_bench
from harness.learn.sources import Source
from harness.modalities.sounds import encode_sound
from harness.model.batch import call_logits
from tests.learn.tiny import MATERIALS, all_rows, build_source, make_candidate
from tests.modalities.test_audio import make_group_norm

DEPTHS = (0, 1, 2)


def make_winner(depth: int = 1, fold_epochs: tuple[int, ...] = (2, 2, 2), **values: Any) -> Winner:
    return Winner(
        task="task",
        backbone="tiny",
        arm="depth",
        candidate=make_candidate(depth, **values),
        fold_epochs=fold_epochs,
    )


def predict_ours(source: Source, winner: Winner) -> np.ndarray:
    bench = refit_winner(source, winner)
    logits = compute_logits(
        bench.model, lambda rows: call_logits(bench.model, bench.batch(rows)), all_rows(bench), bench.lengths
    )
    predictions: np.ndarray = bench.target.predict(logits)
    return predictions


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_an_export_predicts_what_the_harness_predicts(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, depth: int
) -> None:
    source = build_source(request, kind)
    exported = export_model(source, make_winner(depth), tmp_path / "out" / "model")
    assert exported.folder == tmp_path / "out" / "model"
    assert exported.difference < 1e-4
    assert exported.proven == min(200, exported.rows)
    assert {"config.json", "model.safetensors"} <= {file.name for file in exported.folder.iterdir()}
    assert [path.name for path in exported.folder.parent.iterdir()] == ["model"], "nothing is left beside it"


def test_texts_by_hand(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source = build_source(request)
    winner = make_winner(0)
    ours = predict_ours(source, winner)
    export_model(source, winner, tmp_path / "out")
    run: Any = pipeline("text-classification", model=str(tmp_path / "out"), device="cpu")
    bench = refit_winner(source, winner)
    texts = [str(item) for item in bench.examples.inputs]
    for text, expected in list(zip(texts, ours, strict=True))[:20]:
        (answer,) = run(text, top_k=1)
        assert answer["label"] == bench.labels[expected.argmax()]
        assert answer["score"] == pytest.approx(expected.max(), abs=1e-5)


def test_numbers_by_hand(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source = build_source(request, "text-regression")
    ours = predict_ours(source, make_winner(0))
    export_model(source, make_winner(0), tmp_path / "out")
    run: Any = pipeline("text-classification", model=str(tmp_path / "out"), device="cpu")
    bench = refit_winner(source, make_winner(0))
    for text, expected in list(zip(bench.examples.inputs, ours, strict=True))[:10]:
        (answer,) = run(text)
        assert answer["score"] == pytest.approx(expected, abs=1e-5)


def test_pairs_of_texts(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lines = ["one,two,label"]
    for row in range(24):
        word, label = ("good", "pos") if row % 2 else ("bad", "neg")
        lines.append(f"{word} {row},{['', '🙂', 'film ' * 60, 'a'][row % 4]},{label}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {"csv": "pairs.csv", "text": ["one", "two"], "label": "label"}
    exported = export_model(build_source(request, task={"data": data}), make_winner(), tmp_path / "out")
    assert exported.proven == 24
    assert "truncation=True" in exported.use


def test_labels_of_any_spelling(request: pytest.FixtureRequest, tmp_path: Path, text_csv: Path) -> None:
    labels = {"pos": "1", "neg": 'ü "/\\ <b>\u202e🙂 {x}: LABEL_0'}
    head, *rows = text_csv.read_text().splitlines()
    spelled = []
    for row in rows:
        text, label, score, author = row.split(",")
        quoted = labels[label].replace('"', '""')
        spelled.append(f'{text},"{quoted}",{score},{author}')
    text_csv.write_text("\n".join([head, *spelled]) + "\n", encoding="utf-8")
    exported = export_model(build_source(request), make_winner(), tmp_path / "out")
    config = AutoConfig.from_pretrained(exported.folder)
    assert set(config.label2id) == set(labels.values())
    assert config.id2label == {index: label for label, index in config.label2id.items()}


@pytest.mark.parametrize("compute", [{"shelf": "fp16"}, {"precision": "bfloat16"}, {"shelf": "off"}])
def test_how_it_was_trained_does_not_matter(
    request: pytest.FixtureRequest, tmp_path: Path, compute: dict[str, str]
) -> None:
    exported = export_model(build_source(request, compute=compute), make_winner(), tmp_path / "out")
    assert exported.difference < 1e-4


def test_a_folder_that_is_not_empty_is_refused_before_training(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    source = replace(build_source(request), spec_json="never read")
    for out in ("out", "file"):
        with pytest.raises(StorageError, match="is not an empty folder; name another one with --out"):
            export_model(source, make_winner(), tmp_path / out)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_an_empty_folder_is_filled(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert (
        export_model(build_source(request), make_winner(), tmp_path / "out").folder / "config.json"
    ).exists()


def test_a_full_disk_is_a_fault_of_the_storage(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A limit on the size of files, below the weights and above the rest, stands for the disk."""
    source = build_source(request)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageError, match=r"out: .*Free space") as caught:
            export_model(source, make_winner(0), tmp_path / "out")  # depth 0 fills no shelf
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.exit_code == 4
    assert not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_made_is_a_fault_of_the_storage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    source = replace(build_source(request), spec_json="never read")
    with pytest.raises(StorageError, match=r"out: .*Move what is in the way"):
        export_model(source, make_winner(), tmp_path / "file" / "out")


def test_a_model_that_predicts_something_else_is_not_kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="predictions differ from ours"):
        export_model(build_source(request), make_winner(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("fold_epochs", "epochs"), [((1, 5, 3), 3), ((1, 2, 3, 4), 2), ((7,), 7)])
def test_the_refit_takes_the_median_of_the_folds_epochs(fold_epochs: tuple[int, ...], epochs: int) -> None:
    assert make_winner(fold_epochs=fold_epochs).epochs == epochs


def test_the_refit_trains_that_many_epochs_on_all_rows(request: pytest.FixtureRequest) -> None:
    source = build_source(request)
    few = predict_ours(source, make_winner(fold_epochs=(1, 1, 9), early_stopping={"patience": 1}))
    assert np.array_equal(few, predict_ours(source, make_winner(fold_epochs=(1, 1, 1), epochs=5)))
    assert not np.array_equal(few, predict_ours(source, make_winner(fold_epochs=(2, 2, 2))))


def test_clips_of_unequal_length_agree_whether_the_model_is_told_of_padding_or_not(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    sound_folder: Path,
) -> None:
    wave = np.sin(np.arange(1000) / 5) / 2
    for number in range(0, 24, 3):
        kind = "low" if number % 2 else "high"
        sound = encode_sound(wave[: 600 + 10 * number], rate=16_000)
        (sound_folder / kind / f"{number:02}.wav").write_bytes(sound)
    told = export_model(build_source(request, "audio-classification"), make_winner(), tmp_path / "told")
    assert told.difference < 1e-4
    assert told.use == "It was trained on clips of 0.1 s (1600 samples at 16000 Hz) at most: cut longer ones."
    folder = make_group_norm(tmp_path_factory.mktemp("group"))
    source = build_source(request, "audio-classification", checkpoint=folder)
    deaf = export_model(source, make_winner(), tmp_path / "deaf")
    assert deaf.difference < 1e-4
    assert "fill shorter ones with zeros" in deaf.use
    kept = json.loads((deaf.folder / "preprocessor_config.json").read_text())
    assert kept["clip_samples"] == 1600


def test_clips_longer_than_clip_seconds_are_cut(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source = build_source(request, "audio-classification", task={"clip_seconds": 0.06})
    exported = export_model(source, make_winner(), tmp_path / "out")
    assert exported.difference < 1e-4


def test_a_decoder_reads_an_empty_text(
    request: pytest.FixtureRequest, tmp_path: Path, text_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.modalities.test_text import make_gpt2

    rows = text_csv.read_text().splitlines()
    rows[1] = ",neg,-1.0,author-0"
    text_csv.write_text("\n".join(rows) + "\n")
    checkpoint = make_gpt2(tmp_path_factory.mktemp("gpt2"))
    exported = export_model(build_source(request, checkpoint=checkpoint), make_winner(0), tmp_path / "out")
    assert exported.proven == 60
    run: Any = pipeline("text-classification", model=str(exported.folder), device="cpu")
    together = run(["good", "a lovely bright film"], batch_size=2)
    assert together[0]["score"] == pytest.approx(run("good")[0]["score"], abs=1e-5)


@pytest.mark.parametrize(("batch_size", "outcome"), [(8, "loss not finite"), (64, "predictions not finite")])
def test_a_refit_that_diverges_says_what_to_do_and_leaves_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, batch_size: int, outcome: str
) -> None:
    winner = make_winner(0, fold_epochs=(1, 1), batch_size=batch_size)  # 64: a single step
    wild = replace(winner.candidate, head_lr=1e30, backbone_lr=1e30)
    with pytest.raises(ModelError, match=r"^task: the winner of arm 'depth' diverges .*--arm") as caught:
        export_model(build_source(request), replace(winner, candidate=wild), tmp_path / "out" / "model")
    assert outcome in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(("most", "fits"), [(3, True), (0, False)])
def test_a_refit_without_room_takes_smaller_passes_or_says_so(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool
) -> None:
    """Folds that fitted are no promise: an export may run on another machine."""
    source, winner = build_source(request), make_winner(1, dropout=0.0)
    ours = predict_ours(source, winner)

    def open_in_little_room(*args: Any) -> Bench:
        bench = open_bench(*args)

        def allocate(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
            size = len(next(iter(kwargs.values())))
            if size > most and module.training:
                torch.empty(size * 2**52, dtype=torch.int8)  # bytes: no address space has them

        bench.model.register_forward_pre_hook(allocate, with_kwargs=True)
        return bench

    monkeypatch.setattr("harness.deploy.refit.open_bench", open_in_little_room)
    if fits:
        np.testing.assert_allclose(predict_ours(source, winner), ours, rtol=0, atol=1e-5)
        return
    with pytest.raises(ModelError, match="cannot be refitted here: out of memory with 1 example at once"):
        refit_winner(source, winner)
