"""Pictures, each with one label out of a set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.spec.options import TaskOptions

MODALITY = "image"
TARGET = "classes"
METRIC = "accuracy"
MODEL = "AutoModelForImageClassification"
PIPELINE = "image-classification"


class Options(TaskOptions):
    """Pictures, each with one label out of a set."""

    type: Literal["image-classification"]
    """The task type's name."""
    image_size: Annotated[int, Field(ge=8, le=4096)] | None = None
    """Height and width in pixels to which pictures are scaled; the checkpoint's where none is given."""
