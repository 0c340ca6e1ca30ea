"""Fits on a GPU: what a CPU says, bfloat16, lack of memory, the shelf. Collected only where there is one.

`pytest -q -s tests/whole/test_gpu.py` needs neither Ray nor Optuna nor a network, and prints what it measures.
"""

from __future__ import annotations

import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.learn.bench import Bench
from harness.learn.fit import fit_candidate
from harness.learn.footprint import estimate_memory
from harness.learn.loop import WHOLE, Passes, compute_logits, repeat_smaller
from harness.learn.opening import open_bench
from harness.learn.work import _Scorer, open_scorer
from harness.model.frozen import digest_frozen
from harness.model.memory import release_memory
from harness.record.scores import FoldScore
from tests.learn.tiny import SEEDS, all_rows, build_source, copy_weights, make_candidate, make_job

if not torch.cuda.is_available():
    pytest.skip("there is no GPU that torch can use", allow_module_level=True)

pytestmark = [pytest.mark.whole, pytest.mark.faults]

TOLERANCE = (
    1e-3  # of logits after two epochs on either device: kernels add in another order, AdamW amplifies it
)
HALF_TOLERANCE = 0.1  # of the same in bfloat16, which keeps 8 bits
GPU = {"gpus_per_worker": 1}


@pytest.fixture(autouse=True)
def _exact() -> None:
    """TF32 keeps 10 bits of a product; torch leaves it off for matrices and on for convolutions."""
    torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(scope="session")
def minilm_size(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """MiniLM's shape, 6 blocks of width 384, with random weights and the tokenizer of the tiny BERT."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("checkpoints") / "minilm-size"
    folder.mkdir()
    for file in tiny_bert.iterdir():
        if file.suffix == ".json" and file.name != "config.json":
            (folder / file.name).write_bytes(file.read_bytes())
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        max_position_embeddings=32,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        BertModel(config).save_pretrained(folder)
    return folder


def score(
    request: pytest.FixtureRequest,
    *,
    depth: int = 1,
    checkpoint: Path | None = None,
    compute: dict[str, Any],
) -> FoldScore:
    source = build_source(request, checkpoint=checkpoint, compute=compute)
    found = open_scorer(source, 1)(make_job(make_candidate(depth, dropout=0.0)))
    assert found.state == "ok", found.error
    return found


def probabilities(found: FoldScore) -> np.ndarray:
    assert found.predictions is not None
    assert found.predictions.probabilities is not None
    return found.predictions.probabilities


def learn(
    request: pytest.FixtureRequest, kind: str, depth: int, compute: dict[str, Any]
) -> tuple[Bench, np.ndarray]:
    """Return a bench and the logits of all rows after a fit on them."""
    bench = open_bench(build_source(request, kind, compute=compute), "task", "tiny")
    with fit_candidate(bench, make_candidate(depth, dropout=0.0), all_rows(bench), SEEDS) as fitted:
        return bench, compute_logits(bench.model, fitted.forward, all_rows(bench), bench.lengths)


def test_the_spec_chooses_the_device(request: pytest.FixtureRequest) -> None:
    for gpus, device in ((0, "cpu"), (1, "cuda"), (0.5, "cuda")):
        bench = open_bench(build_source(request, compute={"gpus_per_worker": gpus}), "task", "tiny")
        assert bench.device.type == device


def test_a_head_is_the_same_on_either_device(request: pytest.FixtureRequest) -> None:
    digests = set()
    for compute in ({}, GPU):
        bench = open_bench(build_source(request, compute=compute), "task", "tiny")
        state = torch.cuda.get_rng_state()
        bench.reset(5)
        assert torch.equal(torch.cuda.get_rng_state(), state)
        digests.add(digest_frozen(bench.model, bench.fresh))
        bench.reset_to_random(3, 5)
        digests.add(digest_frozen(bench.model, bench.fresh))
    assert len(digests) == 1


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize("kind", ["text-classification", "text-regression", "image-classification"])
def test_a_fit_on_a_gpu_comes_to_what_it_does_on_a_cpu(
    request: pytest.FixtureRequest, kind: str, shelf: str
) -> None:
    for depth in (0, 1, 2):
        logits = [learn(request, kind, depth, {"shelf": shelf} | extra)[1] for extra in ({}, GPU)]
        print(kind, shelf, depth, "apart", np.abs(logits[0] - logits[1]).max())  # noqa: T201  # to be recorded
        np.testing.assert_allclose(logits[1], logits[0], rtol=0, atol=TOLERANCE)


def test_the_shelf_gives_what_the_whole_model_does(request: pytest.FixtureRequest) -> None:
    for depth in (1, 2):
        found = [
            learn(request, "text-classification", depth, GPU | {"shelf": shelf})
            for shelf in ("float32", "off")
        ]
        assert [bench.uses_shelf(depth) for bench, _ in found] == [True, False]
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_bfloat16_is_computed_in_and_recorded(
    request: pytest.FixtureRequest, minilm_size: Path, precision: str
) -> None:
    plain = score(request, checkpoint=minilm_size, depth=1, compute=GPU | {"precision": "float32"})
    half = score(request, checkpoint=minilm_size, depth=1, compute=GPU | {"precision": precision})
    assert (plain.precision, half.precision) == ("float32", "bfloat16")
    apart = np.abs(probabilities(half) - probabilities(plain)).max()
    print("bfloat16 apart", apart)  # noqa: T201  # to be recorded
    assert 0 < apart < HALF_TOLERANCE


def test_smaller_passes_learn_what_whole_batches_do(
    request: pytest.FixtureRequest, minilm_size: Path
) -> None:
    source = build_source(request, checkpoint=minilm_size, compute=GPU)
    bench = open_bench(source, "task", "tiny")
    rows = all_rows(bench)
    for depth in (0, 3, 6):
        found = {}
        for passes in (WHOLE, Passes(most=4), Passes(most=2)):
            candidate = make_candidate(
                depth, 6, dropout=0.0, epochs=1, class_weights="balanced", label_smoothing=0.1
            )
            with fit_candidate(bench, candidate, rows[:-3], SEEDS, passes=passes) as fitted:
                found[passes.most] = compute_logits(bench.model, fitted.forward, rows, bench.lengths)
        print("passes", depth, [np.abs(found[most] - found[None]).max() for most in (4, 2)])  # noqa: T201
        for most in (4, 2):
            np.testing.assert_allclose(found[most], found[None], rtol=0, atol=TOLERANCE)


def test_the_peak_on_the_gpu_is_recorded_and_near_the_estimate(
    request: pytest.FixtureRequest, minilm_size: Path
) -> None:
    source = build_source(request, checkpoint=minilm_size, compute=GPU | {"shelf": "off"})
    candidate = make_candidate(0, 6, dropout=0.0, batch_size=32)
    release_memory()
    before = torch.cuda.memory_allocated()
    found = open_scorer(source, 1)(make_job(candidate))
    assert found.peak_gpu_bytes is not None
    assert found.peak_rss_bytes is not None
    footprint = estimate_memory(source, "task", "tiny", candidate)
    reckoned = footprint.total - footprint.process - footprint.data
    print("peak", found.peak_gpu_bytes - before, "reckoned", reckoned, footprint)  # noqa: T201  # to be recorded
    assert 0.5 < reckoned / (found.peak_gpu_bytes - before) < 2
    cpu = score(request, compute={})
    assert cpu.micro_batch is None


@pytest.fixture
def little_room(tmp_path: Path, tiny_bert: Path, request: pytest.FixtureRequest) -> Any:
    """A scorer on a model of one block so wide that activations take more GPU memory than weights and moments."""
    from transformers import BertConfig, BertModel

    folder = tmp_path / "wide"
    shutil.copytree(tiny_bert, folder)
    vocabulary = BertConfig.from_pretrained(tiny_bert).vocab_size
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=64, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=65_536, max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    source = build_source(request, checkpoint=folder, compute=GPU | {"shelf": "off"})
    scorer = _Scorer(source)
    scorer._benches["task", "tiny"] = open_bench(source, "task", "tiny")
    yield scorer
    torch.cuda.set_per_process_memory_fraction(1.0)


def limit_to(extra: int) -> None:
    """Leave this process `extra` bytes of GPU memory beyond what it holds."""
    release_memory()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + extra) / total)


def test_a_fold_without_room_on_the_gpu_is_repeated_in_halves(little_room: Any) -> None:
    """The limit is real: torch's own allocator refuses, as it does where a card is full."""
    bench = little_room._benches["task", "tiny"]
    job = make_job(make_candidate(0, 1, dropout=0.0, batch_size=32))
    whole = little_room.score(job)
    assert (whole.state, whole.micro_batch) == ("ok", None)
    weights = {name: tensor.cpu() for name, tensor in copy_weights(bench).items()}
    base = torch.cuda.memory_allocated()
    needed = whole.peak_gpu_bytes - base
    moments = 3 * sum(p.numel() * 4 for p in bench.model.parameters())
    limit_to(moments + (needed - moments) // 2 + 16 * 2**20)
    tight = little_room.score(job)
    print("needed", needed, "moments", moments, "micro", tight.micro_batch, tight.error)  # noqa: T201
    assert tight.state == "ok", tight.error
    assert tight.micro_batch in (2, 4, 8, 16)
    assert tight.steps == whole.steps  # the same batches, in more passes
    np.testing.assert_allclose(probabilities(tight), probabilities(whole), rtol=0, atol=TOLERANCE)
    apart = max(
        float((tensor.cpu() - weights[name]).abs().max())
        for name, tensor in copy_weights(bench).items()
        if not name.endswith("key.bias")  # attention does not hear it: AdamW makes steps of rounding
    )
    print("weights apart", apart)  # noqa: T201
    assert torch.cuda.memory_allocated() <= base + 2**20


def test_a_fold_that_never_fits_is_out_of_memory_and_leaves_nothing(little_room: Any) -> None:
    job = make_job(make_candidate(0, 1, dropout=0.0, batch_size=4))
    base = torch.cuda.memory_allocated()
    limit_to(8 * 2**20)
    failed = little_room.score(job)
    assert failed.state == "oom"
    assert failed.error.startswith("out of memory with 1 example at once: CUDA out of memory")
    assert torch.cuda.memory_allocated() <= base + 2**20
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert little_room.score(replace(job, trial=1)).state == "ok"


def test_what_a_failed_attempt_held_is_given_back_before_the_next() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def run(passes: Passes) -> int:
        if passes.most == 1:
            assert all(reference() is None for reference in held)
            assert torch.cuda.memory_reserved() <= reserved
            return 1
        large = torch.ones(2**26, device="cuda")
        held.append(weakref.ref(large))
        torch.empty(2**50, dtype=torch.int8, device="cuda")
        raise AssertionError("not reached")

    release_memory()
    reserved = torch.cuda.memory_reserved()
    assert repeat_smaller(run, WHOLE, batch_size=4, make_room=release_memory) == 1
    assert len(held) == 2


def test_a_loss_that_explodes_in_bfloat16_is_told(request: pytest.FixtureRequest) -> None:
    source = build_source(request, compute=GPU | {"precision": "bfloat16"})
    found = open_scorer(source, 1)(make_job(replace(make_candidate(1), head_lr=1e30, backbone_lr=1e30)))
    assert found.state == "diverged"
    assert "not finite" in str(found.error)
