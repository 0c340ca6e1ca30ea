"""GPU: the devices of this machine, and whether the installed torch can use them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.doctor.finding import Finding, fail, praise, warn


def list_devices(dev: Path) -> list[str]:
    """Return the names of the GPUs' device files."""
    return sorted(path.name for path in dev.glob("nvidia[0-9]*"))


def read_build(folders: Sequence[Path]) -> str | None:
    """Return the CUDA that the installed torch was built for, "" for one without, None where there is no torch.

    Read from its version file: an import takes seconds.
    """
    for folder in folders:
        path = folder / "torch" / "version.py"
        if path.is_file():
            found = re.search(r"^cuda[^=]*= *['\"]([\d.]+)['\"]", path.read_text(encoding="utf-8"), re.M)
            return found[1] if found else ""
    return None


def check_devices(devices: Sequence[str], build: str | None, driver: str) -> Finding:
    """Say whether the GPUs and torch's build belong together, without importing torch."""
    if not devices:
        return praise("gpu", "none here: folds run on the CPU")
    told = f"{len(devices)} here{_describe_driver(driver)}"
    if build == "":
        return warn(
            "gpu",
            f"{told}, but torch is a build without CUDA: `compute.gpus_per_worker` would find none",
            "install PyTorch's CUDA wheels, or leave gpus_per_worker at 0",
        )
    if build is None:
        return warn("gpu", f"{told}, and no torch is installed", "install torch")
    return praise("gpu", f"{told}, torch is built for CUDA {build}; --gpu tries them")


def try_devices(devices: Sequence[str]) -> Iterator[Finding]:
    """Import torch and ask it for the GPUs; one finding for each, or why there is none."""
    import torch

    with warnings.catch_warnings(record=True) as heard:  # torch tells of an old driver by a warning alone
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if not usable:
        reason = str(heard[-1].message).strip().splitlines()[0] if heard else "torch finds no CUDA device"
        there = f"{len(devices)} in /dev, but " if devices else ""
        yield fail(
            "gpu",
            f"{there}none can be used: {reason}",
            "install a driver and a torch that belong together, or leave compute.gpus_per_worker at 0",
        )
        return
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        free, total = torch.cuda.mem_get_info(number)
        told = f"{number}: {properties.name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        yield praise("gpu", told)


def _describe_driver(driver: str) -> str:
    """Return the driver's version from the text of /proc/driver/nvidia/version."""
    found = re.search(
        r"Kernel Module.*?\s(\d+(?:\.\d+)+)", driver
    )  # the open one says for which processor before
    return f", driver {found[1]}" if found else ""
