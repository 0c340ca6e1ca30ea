"""Each check of the doctor on real files that are as they should be, and on real files that are not."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from harness.doctor import cluster, cores, gpu, hub, memory, packages, storage
from harness.machine import Machine

GB = 10**9


def machine(**changes: object) -> Machine:
    given: dict[str, object] = {
        "cores": 8,
        "allowed_cores": 8,
        "quota_cores": None,
        "memory_bytes": 32 * GB,
        "available_bytes": 20 * GB,
        "limit_bytes": None,
    }
    return Machine(**(given | changes))  # type: ignore[arg-type]  # the fields of a dataclass by name


def install(folder: Path, name: str, version: str, *requires: str, code: str = "") -> None:
    """Put a package into a folder as pip does: its metadata, and a module of its name."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text(
        "\n".join([*lines, *(f"Requires-Dist: {line}" for line in requires)]) + "\n"
    )
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


def test_packages_that_are_missing_or_too_old_are_named_with_the_command(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.9.0+cpu")
    install(tmp_path, "ruamel_yaml", "0.19")
    wanted = ["torch>=2.10", "ruamel.yaml>=0.18", "optuna<6,>=5", 'datasets>=4; extra == "hub"']
    install(tmp_path, "finetune_harness", "0.1", *wanted)
    found = list(
        packages.check_versions(packages.list_installed([tmp_path]), packages.list_requirements([tmp_path]))
    )
    assert [finding.state for finding in found] == ["fail", "fail"]
    assert "torch 2.9.0+cpu is installed, torch>=2.10 is needed" in found[0].says
    assert found[1].says == "optuna is missing"
    assert found[1].remedy == "pip install 'optuna<6,>=5'"


def test_packages_that_fit_are_one_line(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.13.0+cpu")
    (found,) = packages.check_versions(packages.list_installed([tmp_path]), ["torch>=2.10"])
    assert (found.state, found.says) == ("ok", "torch 2.13.0+cpu")


def test_a_harness_that_is_no_package_is_no_failure(tmp_path: Path) -> None:
    (found,) = packages.check_versions({}, packages.list_requirements([tmp_path]))
    assert found.state == "warn"


@pytest.mark.parametrize(("version", "state"), [((3, 10, 4), "fail"), ((3, 11, 0), "ok"), ((3, 13, 1), "ok")])
def test_an_old_python_is_refused(version: tuple[int, int, int], state: str) -> None:
    assert packages.check_python(version).state == state


def test_a_broken_torchvision_is_found_by_importing_it_elsewhere(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.13.0+cpu")
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    install(tmp_path, "torchvision", "0.28.0", code=broken)
    install(tmp_path, "torchaudio", "2.13.0")
    installed = packages.list_installed([tmp_path])
    vision, audio = packages.check_companions(installed, [tmp_path], limit_s=30)
    assert (vision.state, audio.state) == ("fail", "ok")
    assert "torchvision 0.28.0 beside torch 2.13.0+cpu cannot be imported" in vision.says
    assert "operator torchvision::nms does not exist" in vision.says
    assert vision.remedy.startswith("pip uninstall torchvision")


def test_an_import_that_hangs_is_given_up(tmp_path: Path) -> None:
    install(tmp_path, "torchvision", "0.28.0", code="import time; time.sleep(60)")
    (found,) = packages.check_companions(packages.list_installed([tmp_path]), [tmp_path], limit_s=0.3)
    assert (found.state, "more than 0.3 s" in found.says) == ("warn", True)


def test_no_companion_is_nothing_to_worry_about(tmp_path: Path) -> None:
    (found,) = packages.check_companions({"torch": "2.13.0"}, [tmp_path], limit_s=1)
    assert found.state == "ok"


def test_more_threads_than_cores_are_warned_of() -> None:
    calm = list(cores.check_cores(machine(), {"OMP_NUM_THREADS": "2"}))
    assert [finding.state for finding in calm] == ["ok"]
    told, warned = cores.check_cores(machine(quota_cores=1.5, allowed_cores=4), {"OMP_NUM_THREADS": "16"})
    assert "2 usable of 8, affinity allows 4, the cgroup grants the time of 1.5" in told.says
    assert (warned.state, warned.remedy.startswith("unset OMP_NUM_THREADS")) == ("warn", True)


def test_little_memory_is_warned_of_by_the_limit_of_the_cgroup() -> None:
    assert memory.check_memory(machine()).state == "ok"
    found = memory.check_memory(machine(limit_bytes=2 * GB, limited_use_bytes=GB))
    assert found.state == "warn"
    assert "0.9 GiB free" in found.says


def test_a_folder_that_keeps_what_it_is_told_is_praised_and_left_as_it_was(tmp_path: Path) -> None:
    mounts = "/dev/vda / ext4 rw 0 0\n"
    found = list(storage.check_results(tmp_path / "results", mounts, {}))
    assert {finding.check for finding in found} == {"results", "fsync", "flock", "rename"}
    assert all(finding.state == "ok" for finding in found if finding.check in ("results", "flock", "rename"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_stops_a_run() -> None:
    found = list(storage.check_results(Path("/proc/results"), "", {}))  # not even root may
    assert [finding.state for finding in found] == ["fail"]
    assert "--results" in found[0].remedy


@pytest.mark.parametrize(
    ("kind", "state", "says"),
    [
        ("ext4", "ok", "ext4"),
        ("tmpfs", "warn", "memory"),
        ("nfs4", "warn", "network"),
        ("fuse.sshfs", "warn", "network"),
        ("overlay", "warn", "container"),
    ],
)
def test_the_kind_of_file_system_says_what_it_does_not_keep(
    tmp_path: Path, kind: str, state: str, says: str
) -> None:
    results = tmp_path / "my results"
    results.mkdir()
    spelled = str(results).replace(" ", "\\040")
    mounts = f"/dev/vda / ext4 rw 0 0\nshare {spelled} {kind} rw 0 0\nother /elsewhere tmpfs rw 0 0\n"
    (found,) = storage.check_kind(results, storage.find_mount(results, mounts))
    assert (found.state, says in found.says) == (state, True)


def test_of_two_mounts_on_one_folder_the_later_one_counts(tmp_path: Path) -> None:
    mounts = f"a {tmp_path} ext4 rw 0 0\nb {tmp_path} tmpfs rw 0 0\n"
    mount = storage.find_mount(tmp_path / "results", mounts)
    assert mount is not None
    assert mount.kind == "tmpfs"
    assert storage.find_mount(tmp_path, "") is None


@pytest.mark.parametrize(
    ("seconds", "preloaded", "state"),
    [
        (2.5e-6, "", "warn"),
        (165e-6, "", "ok"),
        (0.004, "", "ok"),
        (0.2, "", "warn"),
        (0.004, "/libeatmydata.so", "warn"),
    ],
)
def test_an_fsync_that_no_disk_could_do_is_called_what_it_is(
    seconds: float, preloaded: str, state: str
) -> None:
    assert storage.check_sync(seconds, {"LD_PRELOAD": preloaded}).state == state


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this system shows no memory as a folder")
def test_memory_that_is_mounted_as_a_folder_is_found_out_by_its_fsync() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert storage.check_sync(storage.measure_sync(Path(folder)), {}).state == "warn"


def test_the_room_on_a_disk_is_told(tmp_path: Path) -> None:
    found = storage.check_room("results", tmp_path / "not" / "there")
    assert f"GB free in {tmp_path}" in found.says


def test_gpus_and_a_torch_without_cuda_do_not_belong_together(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    devices = gpu.list_devices(tmp_path)
    driver = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:21:20 UTC 2025\n"
    opened = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build"
    assert gpu.check_devices(devices, "13.0", opened).says.startswith("2 here, driver 580.159.04")
    assert gpu.check_devices([], "", "").state == "ok"
    assert gpu.check_devices(devices, "13.0", driver).says.startswith("2 here, driver 580.65.06")
    found = gpu.check_devices(devices, "", driver)
    assert (found.state, "without CUDA" in found.says) == ("warn", True)


def test_the_cuda_of_a_torch_is_read_without_importing_it(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    version = tmp_path / "torch" / "version.py"
    version.write_text("__version__ = '2.13.0+cpu'\ndebug = False\ncuda: Optional[str] = None\nhip = None\n")
    assert gpu.read_build([tmp_path]) == ""
    version.write_text("__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n")
    assert gpu.read_build([tmp_path]) == "13.0"
    assert gpu.read_build([]) is None


def test_gpus_that_are_asked_for_and_absent_stop_a_run() -> None:
    import torch

    found = list(gpu.try_devices([]))
    assert {finding.state for finding in found} == {"ok" if torch.cuda.is_available() else "fail"}


class _Hub(BaseHTTPRequestHandler):
    seen: dict[str, str]

    def do_HEAD(self) -> None:
        _Hub.seen = dict(self.headers)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_hub_that_answers_is_asked_without_a_token(endpoint: str) -> None:
    (found,) = hub.check_reach({"HF_ENDPOINT": endpoint, "HF_TOKEN": "canary"}, patience_s=10)
    assert (found.state, found.says) == ("ok", "127.0.0.1 answers (HTTP 200)")
    assert "canary" not in str(_Hub.seen)


def test_a_hub_that_cannot_be_reached_is_a_warning_that_shows_no_password() -> None:
    (found,) = hub.check_reach({"HF_ENDPOINT": "http://me:canary@127.0.0.1:9"}, patience_s=5)
    assert found.state == "warn"
    assert "canary" not in found.says + found.remedy


def test_a_hub_that_says_nothing_is_given_up_in_time() -> None:
    import socket
    import time

    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        before = time.monotonic()
        place = f"http://127.0.0.1:{mute.getsockname()[1]}"
        (found,) = hub.check_reach({"HF_ENDPOINT": place, "no_proxy": "*"}, patience_s=0.3)
    assert time.monotonic() - before < 2
    assert "within 0.3 s" in found.says or "cannot be reached" in found.says


def test_a_hub_that_is_switched_off_is_not_asked(tmp_path: Path) -> None:
    environment = {"HF_HUB_OFFLINE": "1", "HF_TOKEN": "canary", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert list(hub.check_reach(environment)) == []
    found = hub.check_cache(environment, tmp_path)
    assert f"{tmp_path}/.cache/huggingface" in found.says
    assert "a token is set" in found.says
    assert "canary" not in found.says


def test_sockets_below_a_long_folder_do_not_fit(tmp_path: Path) -> None:
    assert cluster.check_sockets(Path("/tmp")).state == "ok"
    found = cluster.check_sockets(tmp_path / ("x" * 60))
    assert (found.state, "107" in found.says) == ("fail", True)


def test_what_ray_would_take_from_the_environment_is_told(tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("canary")
    token.chmod(0o644)
    address, mode = cluster.check_settings({"RAY_ADDRESS": "10.0.0.1:6379"}, tmp_path)
    assert "only where its spec says `compute.address: auto`" in address.says
    assert address.remedy.startswith("unset RAY_ADDRESS, unless")
    assert "mode 0644" in mode.says
    assert mode.remedy == f"chmod 600 {token}"
    assert "canary" not in mode.says
    token.chmod(0o600)
    assert list(cluster.check_settings({}, tmp_path)) == []
