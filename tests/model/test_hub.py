"""The hub: asked once, cached copies first when it is away, one line when there is none."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.numpy import save

from harness.errors import ModelError
from harness.model.checkpoint import check_checkpoint
from harness.model.hub import find_hub_snapshot

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": json.dumps({"model_type": "bert"}).encode(),
    "model.safetensors": save({"a": np.zeros(3, np.float32)}),
    "vocab.txt": b"[PAD]\n",
    "pytorch_model.bin": b"never fetched",
    "onnx/config.json": b"{}",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def point_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{port}")


@contextmanager
def silence() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.mark.parametrize("how", ["refuses", "is silent"])
def test_a_hub_that_is_away_is_one_line_within_two_seconds(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    with silence() as silent:
        point_to(monkeypatch, silent if how == "is silent" else closed_port())
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"hub model 'some/model': http://127\.0\.0\.1") as caught:
            find_hub_snapshot("some/model", revision=None, offline=False)
        assert time.monotonic() - start < 2.5
    assert "hf download some/model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_offline_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        point_to(monkeypatch, server.getsockname()[1])
        with pytest.raises(ModelError, match=r"the run is offline, and .* holds no whole copy"):
            find_hub_snapshot("some/model", revision="v1", offline=True)
        with pytest.raises(TimeoutError):
            server.accept()


def test_what_is_no_hub_id_is_told() -> None:
    with pytest.raises(ModelError, match=r"'a/b/c' is neither a folder nor a hub id"):
        find_hub_snapshot("a/b/c", revision=None, offline=True)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        if path in ("/api/models/some/model", "/api/models/some/model/revision/main"):
            return self.send(
                json.dumps({"id": "some/model", "sha": COMMIT, "siblings": []}).encode(), body=body
            )
        if path == f"/api/models/some/model/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": n, "size": len(d), "oid": f"{i:040x}"}
                for i, (n, d) in enumerate(FILES.items())
            ]
            return self.send(json.dumps(tree).encode(), body=body)
        name = path.removeprefix(f"/some/model/resolve/{COMMIT}/")
        if name in FILES:
            return self.send(FILES[name], body=body, etag=f"{list(FILES).index(name):040x}")
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def send(self, data: bytes, *, body: bool, etag: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        point_to(monkeypatch, server.server_port)
        monkeypatch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        yield server
        server.shutdown()


def test_a_fetched_model_is_found_again_offline_and_when_the_hub_is_away(
    hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_hub_snapshot("some/model", revision=None, offline=False)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    check_checkpoint(folder)
    point_to(monkeypatch, closed_port())
    for revision in (None, "main", COMMIT):
        assert find_hub_snapshot("some/model", revision=revision, offline=True) == folder
        assert find_hub_snapshot("some/model", revision=revision, offline=False) == folder


def test_a_model_that_the_hub_does_not_have_is_one_line(hub: ThreadingHTTPServer) -> None:
    with pytest.raises(
        ModelError, match=r"hub model 'no/model' \(revision main\): .*404.* Check the id"
    ) as caught:
        find_hub_snapshot("no/model", revision=None, offline=False)
    assert "\n" not in str(caught.value)
