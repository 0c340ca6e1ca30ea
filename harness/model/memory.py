"""Memory that does not suffice: told from other faults, met with smaller batches, given back before the next try."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from textwrap import shorten
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")

#: Out of memory has a class of its own on a GPU only; these are the words of torch, oneDNN, cuBLAS, cuDNN and C++.
_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "_status_alloc_failed",
    "could not create a memory object",
    "std::bad_alloc",
)
_LETTERS = 300


def is_out_of_memory(fault: BaseException) -> bool:
    """Say so of a GPU's error, of Python's and numpy's, and of a CPU's, which is a plain RuntimeError."""
    import torch

    if isinstance(fault, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(fault, RuntimeError) and any(words in str(fault).lower() for words in _WORDS)


def raise_shortage(fault: Exception) -> None:
    """Raise a lack of memory again where it was caught among faults that say something about the model."""
    if is_out_of_memory(fault):
        raise fault


def first_line(fault: BaseException) -> str:
    """Return what a fault says first, of one that says nothing its name."""
    lines = str(fault).strip().splitlines()
    return shorten(lines[0], _LETTERS) if lines else type(fault).__name__


def release_memory() -> None:
    """Give back what nothing refers to: cycles of Python objects, and what torch keeps of a GPU for later."""
    import torch

    gc.collect()
    if uses_gpu():
        torch.cuda.empty_cache()


def uses_gpu() -> bool:
    """Say whether this process has computed on a GPU."""
    import torch

    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch's own is untyped


def run_in_batches(
    run: Callable[[np.ndarray], Result], rows: np.ndarray, *, size: int
) -> Iterator[tuple[np.ndarray, Result]]:
    """Yield the rows in batches of at most `size`, in their order, each with what `run` makes of it.

    Where memory does not suffice the batches are halved, again and again, until one row alone fails. For what does
    not depend on the rows beside it: an evaluation, stored activations.
    """
    start = 0
    while start < len(rows):
        batch = rows[start : start + size]
        result = _try(run, batch)
        if result is None:
            size = len(batch) // 2
            release_memory()
            continue
        yield batch, result[0]
        start += len(batch)


def _try(run: Callable[[np.ndarray], Result], batch: np.ndarray) -> tuple[Result] | None:
    """Return what was made of a batch, None where memory did not suffice for more than one row."""
    try:
        return (run(batch),)
    except (MemoryError, RuntimeError) as fault:
        if not is_out_of_memory(fault) or len(batch) == 1:
            raise
    return None  # out here nothing refers to the failed attempt any more: the fault held its frames, they its tensors
