"""One call of a model: the tensors it takes, the mode it runs in, what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from harness.errors import ModelError

#: What a model of somebody else's code raises on inputs it does not like; anything else is a bug of ours.
MODEL_FAILURES = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError)

_TOKENS = 8
_SAMPLES = 2000  # an eighth of a second at 16 kHz: six frames of a wav2vec 2.0
_PIXELS = 64  # for models that take pictures of any size


def make_dummy_batch(model: nn.Module, *, examples: int = 2) -> dict[str, torch.Tensor]:
    """Return made-up inputs of the kind `model` names as its main input, on the model's device.

    `input_ids` (examples, 8) with an attention mask of unequal lengths, `pixel_values` (examples, channels,
    height, width), `input_values` (examples, samples) or (examples, frames, bins), `input_features`
    (examples, bins, frames).

    Raises `ModelError` for any other main input.
    """
    main = str(model.main_input_name)
    settings = _settings(model)
    device = next(model.parameters()).device
    if main == "input_ids":
        return {name: tensor.to(device) for name, tensor in _make_tokens(settings, examples).items()}
    shape = _shape_of(main, settings)
    if shape is None:
        raise ModelError(
            f"{type(model).__name__}: takes '{main}', for which no example batch can be made up."
        )
    values = torch.linspace(-1, 1, examples * shape.numel()).sin().reshape(examples, *shape)
    return {main: values.to(device)}


def call_model(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Run the model and return its answer by name: `logits`, and `loss` where the batch has `labels`."""
    return cast("Mapping[str, torch.Tensor]", model(**batch))


def call_logits(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Run the model and return its logits, (examples, labels)."""
    return call_model(model, batch)["logits"]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the whole model into eval mode; on exit modes and randomness are as before."""
    with resting(model), torch.random.fork_rng(devices=[]):  # some draw for LayerDrop even in eval mode
        yield


@contextmanager
def resting(module: nn.Module) -> Iterator[None]:
    """Put a module and all in it into eval mode; on exit each has its own mode again."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _settings(model: nn.Module) -> dict[str, object]:
    """Return the configuration as a dict; the vision half of a model of two modalities."""
    settings = cast("dict[str, object]", model.config.to_dict())  # type: ignore[operator,union-attr]
    vision = settings.get("vision_config")
    return {**settings, **vision} if isinstance(vision, dict) else settings


def _make_tokens(settings: Mapping[str, object], examples: int) -> dict[str, torch.Tensor]:
    vocabulary = _number(settings, "vocab_size", 32)
    ids = 3 + torch.arange(examples * _TOKENS).reshape(examples, _TOKENS) * 7 % (vocabulary - 3)
    lengths = _TOKENS - 3 * (torch.arange(examples) % 2)
    mask = torch.arange(_TOKENS) < lengths[:, None]
    end = _number(settings, "eos_token_id", -1)
    padding = _number(settings, "pad_token_id", 0)
    special = (ids == end) | (ids == padding)
    ids = torch.where(special, (ids + 1) % vocabulary, ids)
    if end >= 0:  # Bart and T5 classify the last end-of-text token, of which each text must have equally many
        ids[torch.arange(examples), lengths - 1] = end
    return {"input_ids": torch.where(mask, ids, padding), "attention_mask": mask.long()}


def _shape_of(main: str, settings: Mapping[str, object]) -> torch.Size | None:
    if main == "pixel_values":
        size = settings.get("image_size")
        sides = (
            list(size) if isinstance(size, list | tuple) else [_number(settings, "image_size", _PIXELS)] * 2
        )
        return torch.Size([_number(settings, "num_channels", 3), *sides])
    if main == "input_values" and "num_mel_bins" in settings and "max_length" in settings:
        return torch.Size([_number(settings, "max_length", 0), _number(settings, "num_mel_bins", 0)])
    if main == "input_values":
        return torch.Size([_SAMPLES])
    if main == "input_features" and "max_source_positions" in settings:
        return torch.Size(
            [_number(settings, "num_mel_bins", 80), 2 * _number(settings, "max_source_positions", 0)]
        )
    return None


def _number(settings: Mapping[str, object], name: str, default: int) -> int:
    value = settings.get(name)
    return value if isinstance(value, int) else default
