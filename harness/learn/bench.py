"""The bench: what stays warm between the folds of one task on one backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from harness.examples import Examples, Modality
from harness.learn.folds import split_examples
from harness.learn.kin import Kin
from harness.learn.loop import Forward
from harness.learn.seeds import Purpose, derive_seed
from harness.learn.shelf import Activations, Rows, Shelf
from harness.modalities.encoded import Encoded
from harness.model.batch import call_logits, evaluating
from harness.model.cut import Manner, open_cut, prove_cut, run_to
from harness.model.frozen import digest_frozen
from harness.model.load import redraw, reset_head
from harness.model.memory import run_in_batches
from harness.model.trunk import Trunk
from harness.spec.models import Compute
from harness.spec.options import Protocol

Result = TypeVar("Result")

PROOF_ROWS = 3  # with different lengths: a cut that mishandles padding shows on two already
PROOF_TOLERANCE = 1e-5  # of an activation or a logit
FILL_BATCH = 32


@dataclass(slots=True, kw_only=True, eq=False)
class Bench:
    """Examples, their encoding, and one model that every fold starts from again."""

    examples: Examples
    targets: np.ndarray  # (rows,) class indices, or numbers
    labels: tuple[str, ...]
    modality: Modality
    target: ModuleType  # the plug-in under harness/targets that owns the predictions
    weights: np.ndarray  # (rows,) what each example counts in a metric
    groups: np.ndarray  # (rows,) an index of each row's group
    kin: Kin  # what ties each row to others, where folds do not keep it together
    encoded: Encoded
    lengths: np.ndarray  # (rows,)
    processor: Any  # the checkpoint's tokenizer, image processor or feature extractor
    model: nn.Module
    fresh: frozenset[str]
    trunk: Trunk
    pristine: dict[str, torch.Tensor]
    pooling: str  # mean, cls or model
    protocol: Protocol
    compute: Compute
    seed: int
    content: str  # the hash of weights, inputs and number format: the shelf's key
    identity: str  # the hash of the examples: what split, order and head depend on
    stem_frozen: bool
    depths: tuple[int, ...]  # all that the suite's arms may freeze at
    shelf: Shelf | None
    manners: dict[int, Manner | None] = field(default_factory=dict)
    bytes: dict[int, int] = field(default_factory=dict)  # what the activations of all rows take, by depth
    opened: dict[str, Activations] = field(default_factory=dict)
    splits: dict[tuple[int, int | None], np.ndarray] = field(default_factory=dict)
    features: np.ndarray | None = (
        None  # (rows, width) of the untouched backbone, once something asked for them
    )
    clusters: tuple[str, ...] | None = None  # of the rows, where twins are more than ids and groups say
    digests: dict[frozenset[str], str] = field(default_factory=dict)  # of pretrained parts, by their names

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def split(self, repeat: int, outer_fold: int | None = None) -> np.ndarray:
        """Return the fold of each row in one repeat, of a nested protocol within one outer fold, (rows,) int64."""
        key = (repeat, outer_fold)
        if key not in self.splits:
            classes = self.targets if self.target.STRATIFIED else None
            self.splits[key] = split_examples(
                self.examples,
                self.groups,
                classes,
                self.protocol,
                seed=self.seed,
                repeat=repeat,
                outer_fold=outer_fold,
            )
        return self.splits[key]

    def derive_seed(self, purpose: Purpose, *numbers: int) -> int:
        """Return the seed for one purpose on this task's content."""
        return derive_seed(self.seed, purpose, self.identity, *numbers)

    def reset(self, head_seed: int) -> None:
        """Put the model back to its pretrained weights, with a head drawn from `head_seed`."""
        self.model.load_state_dict(self.pristine)
        reset_head(self.model, self.fresh, head_seed)

    def reset_to_random(self, network_seed: int, head_seed: int) -> None:
        """Give the model random weights, with the head that `reset` draws: what was pretrained takes no part."""
        redraw(self.model, network_seed)
        reset_head(self.model, self.fresh, head_seed)

    def digest(self, names: frozenset[str]) -> str:
        """Return the hash of parameters and buffers as they are after `reset`, remembered where no seed changes it."""
        if names & self.fresh:
            return digest_frozen(self.model, names)
        if names not in self.digests:
            self.digests[names] = digest_frozen(self.model, names)
        return self.digests[names]

    def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Return the model's inputs for some rows, on its device."""
        return {name: tensor.to(self.device) for name, tensor in self.encoded.batch(rows).items()}

    def uses_shelf(self, depth: int) -> bool:
        """Say whether fits at this depth start from stored activations: decided by content, never by eviction."""
        return self._find_manner(depth) is not None

    def on_shelf(self, depth: int) -> bool:
        """Say whether the activations at this depth are at hand already."""
        return f"d{depth}" in self.opened

    @contextmanager
    def open_forward(self, depth: int) -> Iterator[Forward]:
        """Give a function from rows to logits, through the shelf where it is used at this depth.

        The weights below the cut must be the pretrained ones when it is opened.
        """
        manner = self._find_manner(depth)
        if manner is None:
            yield self.run_whole
            return
        states = self._take(depth)
        with open_cut(self.model, self.trunk, depth, manner) as cut:

            def forward(rows: np.ndarray) -> torch.Tensor:
                given = states.batch(rows).to(self.device), self.batch(rows)
                logits = self._autocast(lambda: cut(*given)["logits"])
                assert isinstance(logits, torch.Tensor)
                return logits

            yield forward

    def run_whole(self, rows: np.ndarray) -> torch.Tensor:
        """Return the logits of some rows from the whole model as it is, without the shelf."""
        return self._autocast(lambda: call_logits(self.model, self.batch(rows)))

    def _autocast(self, run: Callable[[], Result]) -> Result:
        """Run something in the spec's precision; the loss and what it is computed from stay in float32."""
        with autocast(self.device, self.compute):
            return run()

    @property
    def precision(self) -> str:
        """What blocks compute in here: `auto` depends on the processor."""
        return "bfloat16" if _uses_bfloat16(self.device, self.compute) else "float32"

    def _find_manner(self, depth: int) -> Manner | None:
        """Return how fits at this depth are cut to start from the shelf; None: they run the whole model.

        Found out once, on the pretrained weights, so that it does not depend on which fit was run before.
        """
        if self.shelf is None or (depth == 0 and not self.stem_frozen):
            return None
        if depth not in self.manners:
            with self._untouched():
                self.manners[depth] = self._prove(depth)
        return self.manners[depth]

    @contextmanager
    def _untouched(self) -> Iterator[None]:
        """Give the model its pretrained weights for a moment."""
        now = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.reset(head_seed=0)
        try:
            yield
        finally:
            self.model.load_state_dict(now)

    def _prove(self, depth: int) -> Manner | None:
        """Return how the model can be cut at this depth, proven on one batch; None where it cannot or is too large."""
        rows = self._proof_rows
        batch = self.batch(rows)
        manner = prove_cut(self.model, self.trunk, depth, batch)
        if manner is None:
            return None
        states = run_to(self.model, self.trunk, batch, [depth])[depth]
        self.bytes[depth] = self._count_bytes(states)
        if self.bytes[depth] > self.compute.shelf_bytes:
            return None
        fits = self.encoded.padding is None or self._ignores_padding(states, rows, depth, manner)
        return manner if fits else None

    def _ignores_padding(self, states: torch.Tensor, rows: np.ndarray, depth: int, manner: Manner) -> bool:
        """Say whether a row's activations and logits are the same without padding, which the shelf does not keep."""
        if not self._ragged(states, rows):
            return False
        alone = run_to(self.model, self.trunk, self.batch(rows[:1]), [depth])[depth]  # of the shortest row
        if not _agree(states[:1, : alone.shape[1]], alone):
            return False
        lengths = torch.from_numpy(self.lengths[rows]).to(states.device)
        padded = torch.arange(states.shape[1], device=states.device) >= lengths[:, None]  # (batch, positions)
        emptied = states.masked_fill(padded[:, :, None], 0.0)
        with open_cut(self.model, self.trunk, depth, manner) as cut, evaluating(self.model), torch.no_grad():
            whole, without = (cut(given, self.batch(rows))["logits"] for given in (states.clone(), emptied))
        return _agree(whole, without)

    @property
    def _proof_rows(self) -> np.ndarray:
        order = np.argsort(self.lengths, kind="stable")
        rows: np.ndarray = order[np.linspace(0, len(order) - 1, PROOF_ROWS).astype(int)]
        return rows

    def _count_bytes(self, states: torch.Tensor) -> int:
        """Return how many bytes the activations of all rows take, from those of the proof's batch."""
        numbers = states[0].numel() * len(self.examples)
        if self.encoded.padding is not None:
            numbers = states[0, 0].numel() * int(self.lengths.sum())
        return numbers * (2 if self.compute.shelf == "fp16" else 4)

    def _ragged(self, states: torch.Tensor, rows: np.ndarray) -> bool:
        """Say whether a state has one position for each of a row's tokens, so that padding need not be stored."""
        return self.encoded.padding is not None and states.shape[1] == self.lengths[rows].max()

    def _take(self, depth: int) -> Activations:
        place = f"d{depth}"
        if place not in self.opened:
            assert self.shelf is not None
            others = [f"d{other}" for other in self._choose_companions(depth)]
            self.opened[place] = self.shelf.take(self.content, place, others, self._fill)
        return self.opened[place]

    def _choose_companions(self, depth: int) -> list[int]:
        """Return the other depths to fill in the same pass, the deepest first, as far as the shelf has room."""
        chosen: list[int] = []
        for other in sorted(self.depths, reverse=True):
            if other != depth and self.uses_shelf(other):
                needed = sum(self.bytes[each] for each in (depth, other, *chosen))
                chosen += [other] if needed <= self.compute.shelf_bytes else []
        return chosen

    def _fill(self, places: Sequence[str]) -> Rows:
        """Yield every row's activations at the given depths, all from one pass."""
        depths = [int(place.removeprefix("d")) for place in places]
        order = np.argsort(self.lengths, kind="stable")

        def run(rows: np.ndarray) -> dict[int, tuple[np.ndarray, bool]]:
            states = run_to(self.model, self.trunk, self.batch(rows), depths)
            return {
                d: (state.float().cpu().numpy(), self._ragged(state, rows)) for d, state in states.items()
            }

        for rows, found in run_in_batches(run, order, size=FILL_BATCH):
            for place, row in enumerate(rows):
                yield (
                    int(row),
                    {
                        f"d{depth}": array[place, : self.lengths[row]] if ragged else array[place]
                        for depth, (array, ragged) in found.items()
                    },
                )


def _agree(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first, second, rtol=PROOF_TOLERANCE, atol=PROOF_TOLERANCE)


def autocast(device: torch.device, compute: Compute) -> AbstractContextManager[object]:
    """Return what a forward runs within, so that it computes in the spec's precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_uses_bfloat16(device, compute))


def _uses_bfloat16(device: torch.device, compute: Compute) -> bool:
    if compute.precision != "auto":
        return compute.precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())
