"""Pictures as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError
from harness.examples import Input, Media
from harness.modalities.encoded import Encoded
from harness.modalities.pictures import decode_picture

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from harness.spec.options import TaskOptions

CLASSICAL_SIZE = 32  # pixels a side: enough for a classical baseline, few enough for a regression


def load_processor(folder: Path, task: TaskOptions, inputs: Sequence[Input]) -> Any:
    """Return the checkpoint's image processor, set to the task's `image_size` if it gives one."""
    from transformers import AutoImageProcessor

    try:
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]  # transformers' own is untyped
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: its image processor cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    size = getattr(task, "image_size", None)
    if size is not None:
        processor.size = {"height": size, "width": size}
        processor.do_center_crop = False
    return processor


def encode(processor: Any, inputs: Sequence[Input]) -> Encoded:
    """Return normalised pixels, (3, height, width) float32 each."""
    pixels = [processor(images=_decode(item), return_tensors="np")["pixel_values"][0] for item in inputs]
    return Encoded(columns={"pixel_values": [np.asarray(array, dtype=np.float32) for array in pixels]})


def adapt_config(folder: Path, processor: Any) -> dict[str, object]:
    """Return no entries: the processor decides the size."""
    return {}


def adapt_model(model: Any, processor: Any) -> None:
    """Leave the model as it is."""


def describe_classical(inputs: Sequence[Input]) -> tuple[np.ndarray, Pipeline | None]:
    """Return grey pixels at 32 x 32 in [0, 1], (rows, 1024) float32, which need no fitting."""
    import torch
    from torch.nn.functional import interpolate

    rows = []
    for item in inputs:
        grey = torch.from_numpy(_decode(item).mean(axis=2, dtype=np.float32) / 255)[None, None]
        rows.append(interpolate(grey, size=(CLASSICAL_SIZE, CLASSICAL_SIZE), mode="area").flatten().numpy())
    return np.stack(rows), None


def _decode(item: Input) -> np.ndarray:
    assert isinstance(item, Media)
    return decode_picture(item)  # (height, width, 3) uint8
