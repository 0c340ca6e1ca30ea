"""The training loop: batches, order, divergence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from harness.learn.loop import Diverged, compute_logits, count_steps, draw_batches, train


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_row_is_seen_once_an_epoch() -> None:
    rows, lengths = np.arange(5, 105), np.arange(200) % 17
    batches = list(draw_batches(rows, lengths, 8, generator()))
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert len(batches) * 3 == count_steps(100, 8, 3)


def test_no_batch_has_a_single_row() -> None:
    assert min(len(batch) for batch in draw_batches(np.arange(33), np.zeros(33), 8, generator())) > 1


def test_batches_hold_rows_of_similar_lengths() -> None:
    lengths = generator(1).integers(1, 60, size=400)
    batches = list(draw_batches(np.arange(400), lengths, 16, generator()))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.25 * lengths.sum()


def test_logits_come_back_in_the_order_of_the_rows() -> None:
    rows = np.array([9, 2, 5, 7])
    logits = compute_logits(
        nn.Identity(), lambda part: torch.from_numpy(part)[:, None] * 1.0, rows, np.arange(10)[::-1]
    )
    assert logits[:, 0].tolist() == [9, 2, 5, 7]


def run(rate: float, order_seed: int = 0) -> tuple[nn.Linear, list[int]]:
    torch.manual_seed(0)
    model, seen = nn.Linear(1, 1), list[int]()
    inputs = torch.linspace(-1, 1, 12)[:, None]

    def forward(batch: np.ndarray) -> torch.Tensor:
        seen.extend(batch.tolist())
        return model(inputs[batch])

    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    train(
        model.train,
        forward,
        lambda logits, batch: ((logits - 3 * inputs[batch]) ** 2).mean(),
        optimizer,
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0),
        rows=np.arange(12),
        lengths=np.zeros(12),
        batch_size=4,
        clip=1e9,
        epochs=40,
        order_seed=order_seed,
        stop=None,
    )
    return model, seen


def test_training_learns() -> None:
    model, _ = run(0.3)
    assert model.weight.item() == pytest.approx(3, abs=0.05)


def test_the_order_follows_from_its_seed() -> None:
    assert run(0.1)[1] == run(0.2)[1]
    assert run(0.1)[1] != run(0.1, order_seed=1)[1]


def test_a_loss_that_explodes_says_where() -> None:
    with pytest.raises(Diverged, match=r"loss not finite at step \d+ \(lr 1.0e\+30\)"):
        run(1e30)


def test_gradients_are_scaled_down_to_the_norm() -> None:
    model = nn.Linear(3, 1)
    before = torch.cat([p.detach().clone().flatten() for p in model.parameters()])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    train(
        model.train,
        lambda batch: model(torch.full((len(batch), 3), 100.0)),
        lambda logits, batch: (logits - 1e4).square().mean(),
        optimizer,
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0),
        rows=np.arange(4),
        lengths=np.zeros(4),
        batch_size=4,
        clip=0.25,
        epochs=1,
        order_seed=0,
        stop=None,
    )
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.25, rel=1e-4)
