"""The command line: a verb parses, calls one function, prints what it returns and picks an exit code."""

from __future__ import annotations

from harness.cli.main import main

__all__ = ["main"]
