"""The entry point: every ending of a verb has a message and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import cast

import typer

from harness.cli import materials, suites  # noqa: F401 - importing them adds their verbs
from harness.cli.app import answer, app
from harness.errors import HarnessError, SpecError

INTERRUPTED = 130
BUG = 70

# typer carries a click of its own since 0.29, whose errors the package click does not know
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments or bool(os.environ.get("HARNESS_JSON"))
    try:
        code = app(arguments, prog_name="harness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except UsageError as error:
        return _refuse(SpecError(error.format_message()), as_json=as_json)
    except HarnessError as error:
        return _refuse(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted; what was finished is safe\n")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001 - a bug of ours shows itself whole, and says so
        traceback.print_exc()
        sys.stderr.write("This is a bug in harness: please report it with the lines above.\n")
        return BUG


def _refuse(error: HarnessError, *, as_json: bool) -> int:
    """Say what is wrong, on stderr or as the one JSON document."""
    faults = error.faults if isinstance(error, SpecError) else ()
    if as_json:
        places = [
            {"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message}
            for fault in faults
        ]
        answer({"error": {"kind": type(error).__name__, "message": str(error), "faults": places}})
        return error.exit_code
    sys.stderr.write(f"{error}\n")
    if faults:
        count = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
        sys.stderr.write(f"{count}, nothing was started.\n")
    return error.exit_code
