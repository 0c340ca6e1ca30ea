"""The assets that a spec names."""

from __future__ import annotations

from harness.spec.models import Spec

PREFIX = "asset:"


def list_assets_of(spec: Spec) -> tuple[str, ...]:
    """Return the names of the assets that a spec needs."""
    models = [
        backbone.model.removeprefix(PREFIX)
        for backbone in spec.backbones.values()
        if backbone.model.startswith(PREFIX)
    ]
    data = [
        asset for task in spec.tasks.values() if isinstance(asset := getattr(task.data, "asset", None), str)
    ]
    return tuple(dict.fromkeys(models + data))
