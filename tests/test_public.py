"""The public page: its names arrive late, and all of them are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness


def test_every_public_name_is_there() -> None:
    for name in harness.__all__:
        assert callable(getattr(harness, name))
        assert getattr(harness, name).__doc__
        assert name in dir(harness)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        harness.tune  # type: ignore[attr-defined]  # noqa: B018 - asking is the test


def test_importing_the_page_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'ray', 'optuna', 'sklearn', 'pyarrow', 'rich', 'pydantic'}"
    asked = f"import sys, harness; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
