"""The entry point: every ending of a verb has a message and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import cast

import typer

from harness.cli import materials, night, suites  # noqa: F401 - importing them adds their verbs
from harness.cli.app import answer, app
from harness.cli.streams import secure_streams
from harness.credentials import redact
from harness.errors import HarnessError, SpecError
from harness.report.layout import sanitise

INTERRUPTED = 130
BUG = 70
TRUE = ("1", "true", "t", "yes", "y", "on")

# typer carries a click of its own since 0.29, whose errors the package click does not know
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    secure_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = _wants_json(arguments)
    try:
        return _invoke(arguments)
    except UsageError as error:
        return _refuse(SpecError(error.format_message()), as_json=as_json)
    except HarnessError as error:
        return _refuse(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        message = "interrupted; what was finished is safe"
        if as_json:
            _answer_error("Interrupted", message)
        sys.stderr.write(f"{message}\n")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - a bug of ours shows itself whole, and says so
        if as_json:
            _answer_error(type(error).__name__, str(error))
        _tell(traceback.format_exc())
        sys.stderr.write("This is a bug in harness: please report it with the lines above.\n")
        return BUG


def _invoke(arguments: list[str]) -> int:
    """Call a verb as typer's own `main` does, which would turn an interrupt into an exit without a word."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("harness", list(arguments), obj=tuple(arguments)) as context:
            code = command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    return code if isinstance(code, int) else 0


def _wants_json(arguments: Sequence[str]) -> bool:
    """Say whether a program asks, by the flag or by the variable, which is read as typer reads it."""
    if "--json" in arguments:
        return True
    return os.environ.get("HARNESS_JSON", "").strip().lower() in TRUE


def _tell(text: str) -> None:
    """Write lines to stderr; they may quote data and arguments, so neither a cursor moves nor a secret is shown."""
    lines = redact(text).splitlines()
    encoding = sys.stderr.encoding or "utf-8"
    shown = "".join(f"{sanitise(line)}\n" for line in lines)
    sys.stderr.write(shown.encode(encoding, "replace").decode(encoding))


def _answer_error(kind: str, message: str, faults: Sequence[dict[str, object]] = ()) -> None:
    answer({"error": {"kind": kind, "message": message, "faults": list(faults)}})


def _refuse(error: HarnessError, *, as_json: bool) -> int:
    """Say what is wrong, on stderr or as the one JSON document."""
    faults = error.faults if isinstance(error, SpecError) else ()
    if as_json:
        places: list[dict[str, object]] = [
            {"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message}
            for fault in faults
        ]
        _answer_error(type(error).__name__, str(error), places)
        return error.exit_code
    _tell(str(error))
    if faults:
        count = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
        sys.stderr.write(f"{count}, nothing was started.\n")
    return error.exit_code
