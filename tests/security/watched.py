"""A command in a process of its own that notes what it opens, imports, runs and connects to.

`watched.py NOTES ARGUMENT...` is the command `harness ARGUMENT...`; NOTES gets one line an audit event.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

NOTES = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
EVENTS = (
    "open",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "pickle.find_class",
    "import",
)


def note(event: str, arguments: tuple[Any, ...]) -> None:
    """Write one event down; a relative path is told as it is found at that moment."""
    if event not in EVENTS:
        return
    told = [arguments[1]] if event == "import" else [str(part) for part in arguments[:3]]
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        told = [os.path.realpath(os.fsdecode(arguments[0]))]
    os.write(NOTES, (json.dumps([event, *told], default=str) + "\n").encode())


def main() -> int:
    """Run the command line, watched."""
    sys.addaudithook(note)
    from harness.cli.main import run

    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.path = [place for place in sys.path if Path(place).resolve() != Path(__file__).parent]
    sys.exit(main())
