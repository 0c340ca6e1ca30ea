"""Memory that does not suffice: told, met with smaller batches, given back."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.model.memory import first_line, is_out_of_memory, run_in_batches

FAR_TOO_MUCH = 2**56  # bytes: no address space has them


def ask_numpy() -> object:
    return np.empty(FAR_TOO_MUCH, dtype=np.int8)


def ask_torch() -> object:
    return torch.empty(FAR_TOO_MUCH, dtype=torch.int8)


def ask_gpu() -> object:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")


@pytest.mark.parametrize("ask", [ask_numpy, ask_torch, ask_gpu])
def test_a_lack_of_memory_is_known_by_whoever_says_it(ask: Callable[[], object]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        ask()
    assert is_out_of_memory(caught.value)
    assert "\n" not in first_line(caught.value)
    assert "locate" in first_line(caught.value)


@pytest.mark.parametrize(
    "fault", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")]
)
def test_another_fault_is_none(fault: Exception) -> None:
    assert not is_out_of_memory(fault)


def test_a_fault_without_words_has_its_name() -> None:
    assert first_line(MemoryError()) == "MemoryError"


def allocate(rows: np.ndarray, *, most: int) -> int:
    """Return the number of rows; asks for more than there is where they are more than `most`."""
    if len(rows) > most:
        ask_torch()
    return len(rows)


@pytest.mark.parametrize(("most", "sizes"), [(64, [8, 2]), (7, [4, 4, 2]), (1, [1] * 10)])
def test_batches_are_halved_until_they_fit_and_stay_in_order(most: int, sizes: list[int]) -> None:
    rows = np.arange(10)[::-1]
    found = list(run_in_batches(lambda batch: allocate(batch, most=most), rows, size=8))
    assert [result for _, result in found] == sizes
    assert np.concatenate([batch for batch, _ in found]).tolist() == rows.tolist()


def test_one_row_that_does_not_fit_is_the_end() -> None:
    with pytest.raises(RuntimeError, match="allocate"):
        list(run_in_batches(lambda batch: allocate(batch, most=0), np.arange(4), size=4))


def test_a_fault_of_another_kind_is_not_tried_again() -> None:
    calls = []

    def run(batch: np.ndarray) -> None:
        calls.append(len(batch))
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        list(run_in_batches(run, np.arange(4), size=4))
    assert calls == [4]


def test_what_a_failed_attempt_held_is_gone_before_the_next() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def run(batch: np.ndarray) -> int:
        assert all(reference() is None for reference in held)
        large = torch.ones(3)
        held.append(weakref.ref(large))
        return allocate(batch, most=1) + len(large)

    assert len(list(run_in_batches(run, np.arange(2), size=8))) == 2
    assert len(held) == 3
