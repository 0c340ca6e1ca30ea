"""Texts, or pairs of texts, each with a number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.spec.options import TaskOptions

MODALITY = "text"
TARGET = "values"
METRIC = "pearson"
MODEL = "AutoModelForSequenceClassification"
PIPELINE = "text-classification"


class Options(TaskOptions):
    """Texts, or pairs of texts, each with a number."""

    type: Literal["text-regression"]
    """The task type's name."""
    max_tokens: Annotated[int, Field(ge=4)] | None = None
    """Texts are cut to this many tokens; the checkpoint's limit where none is given."""
