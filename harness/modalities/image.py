"""Pictures as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError
from harness.examples import Input, Media
from harness.modalities.encoded import Encoded
from harness.modalities.pictures import decode_picture, encode_picture
from harness.model.companions import tell_remedy

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
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).splitlines()[0] + tell_remedy(error)
        raise ModelError(f"{folder}: its image processor cannot be loaded: {reason}") from error
    size = getattr(task, "image_size", None)
    if size is not None:
        processor.size = {"height": size, "width": size}
        processor.do_center_crop = False
    return processor


def encode(processor: Any, inputs: Sequence[Input]) -> Encoded:
    """Return normalised pixels, (3, height, width) float32 each."""
    pixels = [np.asarray(_encode(processor, item), dtype=np.float32) for item in inputs]
    sizes = sorted({array.shape for array in pixels})
    if len(sizes) > 1:
        raise ModelError(
            f"the checkpoint's image processor makes pictures of {len(sizes)} sizes, such as "
            f"{sizes[0][1:]} and {sizes[-1][1:]}: set image_size"
        )
    return Encoded(columns={"pixel_values": pixels})


def present(processor: Any, item: Input, scratch: Path) -> object:
    """Return a picture as a pipeline takes it, to make of it what `encode` does: a file below `scratch`."""
    file = scratch / "picture.png"
    file.write_bytes(encode_picture(_decode(item)))
    return str(file)


def describe_use(processor: Any) -> str:
    """Return what who gives pictures to the exported pipeline has to know: nothing."""
    return ""


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


def _encode(processor: Any, item: Input) -> Any:
    # The layout is told: a picture of one or three rows of pixels would be taken for one with channels first.
    return processor(images=_decode(item), input_data_format="channels_last", return_tensors="np")[
        "pixel_values"
    ][0]


def _decode(item: Input) -> np.ndarray:
    assert isinstance(item, Media)
    return decode_picture(item)  # (height, width, 3) uint8
