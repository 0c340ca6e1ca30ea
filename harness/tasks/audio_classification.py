"""Sounds, each with one label out of a set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.spec.options import TaskOptions

MODALITY = "audio"
TARGET = "classes"
METRIC = "accuracy"
MODEL = "AutoModelForAudioClassification"
PIPELINE = "audio-classification"


class Options(TaskOptions):
    """Sounds, each with one label out of a set."""

    type: Literal["audio-classification"]
    """The task type's name."""
    clip_seconds: Annotated[float, Field(gt=0, le=600)] | None = None
    """Clips are cut or padded to this length; the longest clip's where none is given. Whisper pads to whole seconds, an
    AST to its own width."""
