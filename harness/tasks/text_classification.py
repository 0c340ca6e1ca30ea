"""Texts, or pairs of texts, each with one label out of a set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.spec.options import TaskOptions

MODALITY = "text"
TARGET = "classes"
METRIC = "accuracy"
MODEL = "AutoModelForSequenceClassification"
PIPELINE = "text-classification"


class Options(TaskOptions):
    """Texts, or pairs of texts, each with one label out of a set."""

    type: Literal["text-classification"]
    """The task type's name."""
    max_tokens: Annotated[int, Field(ge=4)] | None = None
    """Texts are cut to this many tokens; the checkpoint's limit where none is given."""
