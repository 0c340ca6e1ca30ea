"""The verb on a run that somebody else's process works on: status."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import Json, NoColor, Plugins, Results, RunName, answer, app, know_plugins, open_screen

if TYPE_CHECKING:
    from harness.report.console import Terminal
    from harness.status import Status

INTERRUPTED = 130
WATCH_S = 2.0
SHARE = 5  # a look at a long run may take a second: most of the time is left to others
GOING = ("preparing", "running")


@app.command()
def status(
    run_name: RunName,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds, until the run ends.")
    ] = False,
    results: Results = Path("results"),
    plugins: Plugins = None,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Tell how a run stands, from any terminal: whether it runs, how far it is, what went wrong, when it ends."""
    from harness.record.folders import find_begun
    from harness.report import status as report_status
    from harness.status import read_status

    know_plugins(plugins)
    screen = open_screen(no_color=no_color)
    folder = find_begun(run_name, results=results)

    def look() -> Status:
        return read_status(folder, now=datetime.now().astimezone())

    try:
        stands = _follow(look, screen, quiet=json) if watch else look()
    except KeyboardInterrupt:
        return INTERRUPTED
    if json:
        answer(report_status.describe(stands))
    elif not (watch and screen.draws):
        screen.print(report_status.render(stands, width=screen.width))
    return 0


def _follow(look: Callable[[], Status], screen: Terminal, *, quiet: bool) -> Status:
    """Look until the run has ended, show each look, and return the last one."""
    from harness.report.status import render, summarize

    if quiet:
        return _watch(look, lambda status: None)
    if screen.draws:
        with screen.canvas() as draw:
            return _watch(look, lambda status: draw(render(status, width=screen.width)))
    told = [""]

    def tell(status: Status) -> None:
        line = summarize(status)
        if line != told[-1]:
            told[:] = [line]
            screen.print(line)

    return _watch(look, tell)


def _watch(look: Callable[[], Status], show: Callable[[Status], None]) -> Status:
    while True:
        began_s = time.monotonic()
        status = look()
        show(status)
        if status.phase not in GOING:
            return status
        time.sleep(max(WATCH_S, SHARE * (time.monotonic() - began_s)))
