"""A call of gRPC by hand, without a library and, if told so, without a token."""

from __future__ import annotations

import re
import socket
import struct

LIMIT_S = 3
REFUSED, UNKNOWN = (
    16,
    12,
)  # UNAUTHENTICATED: the token is missing or wrong; UNIMPLEMENTED: no such method here


def call(address: tuple[str, int], method: str, token: str | None = None) -> int:
    """Return the status that a server answers an empty message with; -1 where it answers with none."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/ray.rpc.{method}"),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *([("authorization", f"Bearer {token}")] if token else []),
    ]
    block = b"".join(_literal(name.encode(), value.encode()) for name, value in headers)
    got = b""
    with socket.create_connection(address, LIMIT_S) as wire:
        wire.settimeout(LIMIT_S)
        wire.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        wire.sendall(_frame(1, 4, 1, block) + _frame(0, 1, 1, bytes(5)))
        while (found := re.search(rb"grpc-status[\x01\x02](\d{1,2})", got)) is None:
            more = wire.recv(65_536)
            if not more:
                return -1
            got += more
    return int(found[1])


def ask_http(address: tuple[str, int]) -> bytes:
    """Return the first line that a server answers a plain request with, b"" where it speaks no HTTP/1."""
    with socket.create_connection(address, LIMIT_S) as wire:
        wire.settimeout(LIMIT_S)
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        line = wire.recv(300).partition(b"\r\n")[0]
    return line if line.startswith(b"HTTP/1") else b""


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
