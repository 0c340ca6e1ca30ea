"""Tiny wheels with the shape of the real ones, and assets pinned to them."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.assets.lock import Asset, Member, Package, Place

FILES = {"fake/config.json": b'{"model_type": "fake"}', "fake/model.safetensors": b"weights" * 100}


class Told:
    """Keeps what fetching tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[int] = []
        self.sizes: list[int] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def meter(self, size: int) -> Iterator[Callable[[int], None]]:
        self.sizes.append(size)
        yield self.done.append


@contextmanager
def serve_slowly(house: Path, *, pieces: int, pause_s: float) -> Iterator[tuple[str, threading.Event]]:
    """Give the address of an index that sends a wheel of `house` in pieces, and what is set after the first one."""
    begun, over = threading.Event(), threading.Event()

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if not self.path.endswith(".whl"):
                links = "".join(f'<a href="/files/{file.name}">{file.name}</a>' for file in house.iterdir())
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
                return
            data = (house / Path(self.path).name).read_bytes()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.close_connection = True
            share = -(-len(data) // pieces)
            for start in range(0, len(data), share):
                try:
                    self.wfile.write(data[start : start + share])
                except ConnectionError:  # whoever fetched has gone
                    return
                begun.set()
                if over.wait(pause_s):
                    return

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple", begun
        finally:
            over.set()
            server.shutdown()
            thread.join()


def write_wheel(house: Path, name: str, files: Mapping[str, bytes] = FILES) -> Path:
    """Write a wheel that pip accepts into the folder `house`."""
    house.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    content = dict(files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: fake\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_record_hash(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    path = house / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, data in content.items():
            wheel.writestr(zipfile.ZipInfo(member), data)  # a fixed date: the same bytes every time
    return path


def pin(wheel: Path) -> Package:
    """Return a package pinned to this wheel's bytes."""
    data = wheel.read_bytes()
    name = wheel.name.split("-")[0].replace("_", "-")
    digest = hashlib.sha256(data).hexdigest()
    return Package(name=name, version="1.0", form="wheel", sha256=(digest,), bytes=len(data))


def make_asset(*packages: Package, name: str = "fake", needs: tuple[Asset, ...] = ()) -> Asset:
    """Return a checkpoint of `FILES`, each of which lies in any of the packages."""
    members = tuple(
        Member(
            name=Path(path).name,
            sha256=hashlib.sha256(data).hexdigest(),
            places=tuple(Place(package, path) for package in packages),
        )
        for path, data in FILES.items()
    )
    return Asset(
        name=name,
        kind="model",
        modality="text",
        description="made up",
        licence="none",
        upstream="nowhere",
        synthetic=True,
        recipe="minilm:build",
        revision=1,
        members=members if packages else (),
        needs=needs,
    )


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
