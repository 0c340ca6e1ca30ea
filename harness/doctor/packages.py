"""Packages: the versions that are installed, against those that the harness asks for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.doctor.finding import Finding, fail, praise, warn
from harness.model.companions import COMPANIONS

OURS = "finetune-harness"
SHOWN = ("torch", "transformers", "optuna", "ray", "pyarrow", "numpy", "scikit-learn")
OLDEST = (3, 11)
LAST_LETTERS = 160  # of what a failed import says


def list_installed(folders: Sequence[Path]) -> dict[str, str]:
    """Return the version of every package in some folders, by its canonical name; nothing is imported."""
    found: dict[str, str] = {}
    for package in distributions(path=[str(folder) for folder in folders]):
        name = package.metadata["Name"]
        if name is not None:  # else a folder that pip left behind half removed
            found.setdefault(canonicalize_name(name), package.version)
    return found


def list_requirements(folders: Sequence[Path]) -> list[str] | None:
    """Return what the installed harness asks for; None where it is not installed as a package."""
    for package in distributions(path=[str(folder) for folder in folders], name=OURS):
        return list(package.requires or ())
    return None


def check_python(version: tuple[int, ...]) -> Finding:
    """Say whether this Python is new enough."""
    shown = ".".join(map(str, version[:3]))
    if version[:2] < OLDEST:
        return fail("python", f"{shown} is too old", "make an environment with Python 3.11 or newer")
    return praise("python", f"{shown} on {platform.system()} {platform.machine()}")


def check_versions(installed: dict[str, str], requirements: Sequence[str] | None) -> Iterator[Finding]:
    """Say which packages are missing or too old; one finding where all are as they should be."""
    if requirements is None:
        told = f"{OURS} is not installed as a package, so versions are not compared"
        yield warn("packages", told, "`pip install -e .` in its folder, or install the package")
        return
    faults = 0
    for line in requirements:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        fault = _find_fault(installed.get(canonicalize_name(wanted.name)), wanted)
        if fault:
            faults += 1
            yield fail("packages", fault, f"pip install '{wanted.name}{wanted.specifier}'")
    if not faults:
        shown = [f"{name} {installed[name]}" for name in SHOWN if name in installed]
        yield praise("packages", " · ".join(shown))


def _find_fault(version: str | None, wanted: Requirement) -> str:
    if version is None:
        return f"{wanted.name} is missing"
    if not wanted.specifier.contains(Version(version), prereleases=True):
        return f"{wanted.name} {version} is installed, {wanted.name}{wanted.specifier} is needed"
    return ""


def check_companions(installed: dict[str, str], folders: Sequence[Path], *, limit_s: float) -> list[Finding]:
    """Import the packages that are built for one torch, each in a process of its own; name those that break.

    A torchvision for another build of torch raises `operator torchvision::nms does not exist`, and then neither vision
    models nor `pipeline` of transformers can be imported. Here it could leave torch half loaded, so a child tries.
    """
    there = [name for name in COMPANIONS if name in installed]
    if not there:
        return [praise("companions", f"none of {', '.join(COMPANIONS)} is installed: none can be broken")]
    children = {name: _start_import(name, folders) for name in there}
    return [_judge_import(name, installed, child, limit_s) for name, child in children.items()]


def _start_import(name: str, folders: Sequence[Path]) -> subprocess.Popen[str]:
    path = os.pathsep.join(str(folder) for folder in folders)
    # -P: a torch.py in the working directory is nobody's business.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"import {name}"],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _judge_import(
    name: str, installed: dict[str, str], child: subprocess.Popen[str], limit_s: float
) -> Finding:
    beside = f"{name} {installed[name]} beside torch {installed.get('torch', '(none)')}"
    try:
        _, told = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return warn("companions", f"{beside}: its import took more than {limit_s:g} s", "try it by hand")
    if child.returncode == 0:
        return praise("companions", f"{beside}: can be imported")
    reason = (told.strip().splitlines() or ["no reason given"])[-1][:LAST_LETTERS]
    return fail(
        "companions",
        f"{beside} cannot be imported ({reason}): with it vision models and pipelines cannot either",
        f"pip uninstall {name}  (nothing here needs it)",
    )
