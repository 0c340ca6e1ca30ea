"""A pretrained model in memory, made from a checkpoint folder without running anything of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, cast

from harness.errors import ModelError
from harness.machine import read_machine
from harness.model.checkpoint import check_checkpoint, check_settings, count_stored
from harness.model.companions import tell_remedy
from harness.model.memory import raise_shortage

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig

#: Settings that make all depths comparable, unless told otherwise. LayerDrop skips blocks, frozen ones as well, and
#: SpecAugment masks what enters them: both would act at some depths only, and neither goes with a cut. data2vec-audio
#: has no `apply_spec_augment` to say so, and masks unless the probabilities are 0.
_STEADY: dict[str, object] = {
    "layerdrop": 0.0,
    "encoder_layerdrop": 0.0,
    "decoder_layerdrop": 0.0,
    "apply_spec_augment": False,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "use_cache": False,
}

#: A head may be new, an encoder may come without its decoder; a configuration that lies is further off.
_SLACK = 4
_SLACK_PARAMETERS = 10_000_000

_FLOAT_BYTES = 4  # of a weight: models are loaded in float32, whatever they were saved in

_REASON_LETTERS = 300

#: What transformers raises for a folder that it cannot make a model of.
_LOAD_FAILURES = (OSError, ImportError, ValueError, TypeError, KeyError, RuntimeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model, and which of its parameters did not come from the checkpoint."""

    model: nn.Module
    fresh: frozenset[str]


def load_pretrained(folder: Path, auto_class: str, **config: object) -> Pretrained:
    """Load `folder` as transformers' `auto_class`, in float32 and eval mode; `config` overrides its settings.

    A head that the checkpoint lacks, or has in another size, is initialised anew and named in `fresh`; its
    values are random until `reset_head`. LayerDrop, SpecAugment and the decoder's cache are off.

    Raises `ModelError` where the folder is unsafe, is no model of that class, or lacks weights below the
    head.
    """
    import torch
    import transformers

    check_checkpoint(folder)
    check_size(folder, auto_class)
    with quietly(), _blaming(folder, auto_class):
        model, report = getattr(transformers, auto_class).from_pretrained(
            folder,
            config=_read_settings(folder, config),
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    resized = frozenset(name for name, *_ in report["mismatched_keys"])
    missing = frozenset(report["missing_keys"])
    _check_complete(folder, model, missing=missing, resized=resized)
    return Pretrained(model.eval(), missing | resized)


def reset_head(model: nn.Module, names: frozenset[str], seed: int) -> None:
    """Initialise the parameters `names` anew from `seed`, as the model itself would; the rest stays as it is.

    The global random state is left alone, and the device decides nothing: a GPU would draw other numbers.
    """
    import torch

    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in tensors.items():
        tensor._is_hf_initialized = name not in names  # type: ignore[attr-defined]
    for path, module in model.named_modules():
        holds = any(name.startswith(f"{path}.") for name in names) or not path
        module._is_hf_initialized = not holds
    devices = {name: tensors[name].device for name in names}
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed every GPU too, and no fork gives that back.
        torch.default_generator.manual_seed(seed)
        for name in names:
            tensors[name].data = tensors[name].data.cpu()
        model.initialize_weights()  # type: ignore[operator]
        for name, device in devices.items():
            tensors[name].data = tensors[name].data.to(device)


def redraw(model: nn.Module, seed: int) -> None:
    """Give every parameter and buffer the value that its architecture starts from, drawn from `seed`.

    A second model is made from the configuration, as training from scratch would: `_init_weights` alone leaves what a
    constructor draws, which here is pretrained. The global random state is left alone, and the device decides nothing.
    """
    import torch

    with quietly(), torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)  # of the CPU alone
        fresh = type(model)(model.config)
    model.load_state_dict(fresh.state_dict())


def build_empty(folder: Path, auto_class: str, *, device: str, **settings: object) -> nn.Module:
    """Build the model of a checkpoint without its weights: on "meta" without memory, on "cpu" with arbitrary values.

    `settings` override those of its configuration. Raises `ModelError` where the folder is no model of that class.
    """
    import torch
    import transformers
    from transformers.initialization import no_init_weights

    config = _read_settings(folder, settings)
    with quietly(), _blaming(folder, auto_class), no_init_weights(), torch.device(device):
        return cast("nn.Module", getattr(transformers, auto_class).from_config(config).eval())


def check_size(folder: Path, auto_class: str, *, here: bool = True) -> nn.Module:
    """Refuse a configuration that asks for far more parameters than the weight files hold, or the machine can.

    `here` is False for a model that another machine will load: then this one's memory refuses nothing.
    Returns the model that was counted, on the meta device: a vocabulary of ten billion words is found without
    allocating it.
    """
    check_settings(folder)
    stored = count_stored(folder)
    empty = build_empty(folder, auto_class, device="meta")
    asked = sum(p.numel() for p in empty.parameters())
    if asked > _SLACK * stored + _SLACK_PARAMETERS:
        raise ModelError(
            f"{folder}: config.json asks for {asked:,} parameters, the weight files hold {stored:,}. "
            "One of them is wrong: fetch the folder again, or do not use it."
        )
    needed, there = asked * _FLOAT_BYTES, read_machine().whole_bytes
    if here and needed > there:
        raise ModelError(
            f"{folder}: its {asked:,} parameters take {needed / 2**30:,.0f} GiB in float32, and this machine has "
            f"{there / 2**30:,.0f} GiB of memory. Choose a smaller backbone, or a larger machine."
        )
    return empty


def _read_settings(folder: Path, settings: dict[str, object]) -> PretrainedConfig:
    from transformers import AutoConfig

    with quietly(), _blaming(folder, "AutoConfig"):
        config, unknown = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, return_unused_kwargs=True, **settings
        )
    if unknown:
        raise ModelError(f"{folder}: a {config.model_type} has no setting {', '.join(map(repr, unknown))}.")
    for name, value in _STEADY.items():
        if name in config.to_dict() and name not in settings:
            setattr(config, name, value)
    return cast("PretrainedConfig", config)


def _check_complete(
    folder: Path, model: nn.Module, *, missing: frozenset[str], resized: frozenset[str]
) -> None:
    """Refuse to train random blocks in the belief that they were pretrained."""
    from harness.model.trunk import find_base, find_blocks

    blocks = find_blocks(model)
    base = find_base(model)
    absent = sorted(name for name in missing if name.startswith(f"{blocks}."))
    if absent:
        raise ModelError(
            f"{folder}: lacks {len(absent)} weights of the blocks, among them '{absent[0]}'. "
            "It is incomplete, or holds another architecture than its config.json says."
        )
    unfit = sorted(name for name in resized if name.startswith(f"{base}.") and ".pooler." not in name)
    if unfit:
        raise ModelError(
            f"{folder}: '{unfit[0]}' has another size than the settings ask for. "
            "Keep the size (of pictures, positions, vocabulary) that the checkpoint was trained with."
        )


@contextmanager
def _blaming(folder: Path, auto_class: str) -> Iterator[None]:
    from huggingface_hub.errors import StrictDataclassError  # what a setting of the wrong type raises

    try:
        yield
    except ModelError:
        raise
    except (*_LOAD_FAILURES, StrictDataclassError) as error:
        raise_shortage(error)
        reason = shorten(str(error) or type(error).__name__, _REASON_LETTERS)
        raise ModelError(
            f"{folder}: cannot be loaded as {auto_class}: {reason}{tell_remedy(error)}"
        ) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers' progress bars, load reports and warnings off stderr: what matters of them we say ourselves."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
