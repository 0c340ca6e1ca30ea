"""Load a spec: from YAML to one frozen value, or to all of its faults at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.credentials import find_credentials, redact
from harness.errors import Fault, SpecError
from harness.spec.check import check_paths, check_spec
from harness.spec.messages import describe, place_of
from harness.spec.models import Spec, spec_model
from harness.spec.overrides import apply
from harness.spec.source import SIZE, Source, parse
from harness.spec.words import escape, show

_INSTEAD = "leave it out, and give hubs their token by HF_TOKEN"


def load_spec(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    allowed: Sequence[Path] = (),
    checkpoints: Sequence[str] | None = None,
) -> Spec:
    """Return the spec in a YAML file, with `overrides` such as `tasks.reviews.metric=accuracy` laid over it.

    Paths in the spec are relative to its folder and must stay in it, or in one of the folders `allowed`.
    `checkpoints` are the names that may follow `asset:` in a backbone; None accepts any.
    Raises `SpecError` with every fault at its line.
    """
    file = Path(path)
    data = _read(file)
    _refuse_credentials(data, os.fspath(path), overrides)
    source = parse(data, os.fspath(path))
    for override in overrides:
        apply(override, source)
    spec, faults = _validate(source)
    if spec is not None:
        problems = [*check_spec(spec, checkpoints), *check_paths(spec, base=file.parent, allowed=allowed)]
        faults += [place_of(found.path, source, key=found.at_key).fault(found.message) for found in problems]
    faults += source.faults
    if faults or spec is None:
        raise SpecError(sorted(faults, key=lambda fault: (not fault.line, fault.line, fault.column)))
    return spec


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(SIZE + 1)  # one byte more than may be is enough to know
    except OSError as error:
        raise SpecError(f"{file}: {(error.strerror or str(error)).lower()}") from None


def _refuse_credentials(data: bytes, file: str, overrides: Sequence[str]) -> None:
    """Raise `SpecError` for every credential: a spec is kept with its results, which are handed on."""
    text = data.decode("utf-8", "replace")
    faults = [
        Fault(
            file=file,
            line=text.count("\n", 0, at) + 1,
            column=at - text.rfind("\n", 0, at),
            message=f"holds {what}, and a spec is kept with its results: {_INSTEAD}",
        )
        for at, what in find_credentials(text)
    ]
    faults += [
        Fault(
            file=f"--set {escape(redact(override))}",
            message=f"holds {what}, and what is set is kept with the results: {_INSTEAD}",
        )
        for override in overrides
        for _, what in find_credentials(override)
    ]
    if faults:
        raise SpecError(sorted(faults, key=lambda fault: (not fault.line, fault.line, fault.column)))


def _validate(source: Source) -> tuple[Spec | None, list[Fault]]:
    model = spec_model()
    if not isinstance(source.value, dict):
        message = f"a spec must be a mapping of keys to values (got {show(source.value)})"
        return None, [place_of((), source).fault(message)]
    try:
        return model.model_validate(source.value), []
    except ValidationError as error:
        return None, describe(error, model, source)
