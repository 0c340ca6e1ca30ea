"""What a person sees, and may say, while a suite runs."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from harness.cli.descendants import end_descendants
from harness.report.numbers import count_noun, show_span

if TYPE_CHECKING:
    from harness.plan import Plan, Study
    from harness.report.console import Terminal, Watch
    from harness.search.events import Event, TrialEnded

Listener = Callable[["Event"], None]
FORCED = {signal.SIGINT: 130, signal.SIGTERM: 143}
SHOW_CURSOR = b"\x1b[?25h"


class Interrupts:
    """Ctrl-C once lets running folds finish; twice, or SIGTERM, ends the process at once: what is durable stays.

    Before folds run, in a download say, Ctrl-C raises KeyboardInterrupt as ever: nothing is worth waiting for.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = False

    def asked(self) -> bool:
        """Say whether no new fold should start."""
        return self._asked

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in FORCED}
        signal.signal(signal.SIGTERM, self._hear)
        return self

    def listen(self) -> None:
        """Take the signals, for folds run from now on; a library may have taken them."""
        for number in FORCED:
            signal.signal(number, self._hear)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, SystemExit) and error.code == signal.SIGTERM:
            _end(signal.SIGTERM)  # Ray 2.60 makes this of the signal, from when it starts until `listen`
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and not self._asked:
            self._asked = True
            self._say("finishing the folds that run; Ctrl-C again ends at once and loses only these")
            return
        _end(number)


def _end(number: int) -> NoReturn:
    """End this process and all below it at once; no fold is half recorded."""
    if os.isatty(sys.stderr.fileno()):
        os.write(sys.stderr.fileno(), SHOW_CURSOR)  # no context of the bars is left by os._exit
    end_descendants()  # Ray's agents would outlive this process by a hundred seconds
    os._exit(FORCED[signal.Signals(number)])


@contextmanager
def watch_run(
    screen: Terminal, interrupts: Interrupts, *, quiet: bool
) -> Iterator[Callable[[Plan], Listener]]:
    """Give what `run_suite` asks for its listener, and give the cursor back in the end."""
    opened: list[Watch] = []

    def open_listener(plan: Plan) -> Listener:
        interrupts.listen()  # Ray has just started, and took SIGTERM
        if quiet:
            return lambda event: None
        screen.say(_tell_start(plan))
        totals = Counter[str]()
        for study in {study.id: study for study in plan.studies}.values():
            totals[study.task] += study.trials
        watch = screen.watch(totals)
        watch.__enter__()
        opened.append(watch)
        return _Narrator(plan, watch).tell

    try:
        yield open_listener
    finally:
        for watch in opened:
            watch.__exit__(None, None, None)


class _Narrator:
    """Turns events into bars and lines, counting trials and keeping the best score of each task."""

    def __init__(self, plan: Plan, watch: Watch) -> None:
        self._studies: dict[str, Study] = {study.id: study for study in plan.studies}
        self._watch = watch
        self._done = Counter[str]()
        self._best: dict[str, float] = {}

    def tell(self, event: Event) -> None:
        """Show one event."""
        from harness.search.events import Estimated, StudyStopped, TrialEnded

        if isinstance(event, Estimated):
            workers = count_noun(event.workers, "worker")
            told = f"estimate {show_span(event.remaining_s)} on {workers} (timed on one fit of each task)"
            self._watch.event(told)
        if isinstance(event, StudyStopped):
            self._watch.event(f"{self._name(event.study)}: {event.cause}")
        if isinstance(event, TrialEnded):
            self._tell_trial(event)

    def _tell_trial(self, event: TrialEnded) -> None:
        study = self._studies[event.study]
        if event.state == "failed":
            self._watch.event(f"{self._name(event.study)} trial {event.trial}: failed: {event.reason}")
        last = event.state if event.mean is None else f"{event.mean:.3f}"
        self._done[study.task] += 1
        if event.state == "complete" and event.mean is not None and study.kind == "arm":
            better = max if study.higher_is_better else min
            self._best[study.task] = better(event.mean, self._best.get(study.task, event.mean))
        best = self._best.get(study.task)
        self._watch.advance(
            study.task,
            done=self._done[study.task],
            best="" if best is None else f"{best:.3f}",
            last=f"({study.arm} {last})",
        )

    def _name(self, study: str) -> str:
        found = self._studies[study]
        outer = "" if found.outer_fold is None else f" outer fold {found.outer_fold}"
        return f"{found.task} {found.backbone} {found.arm}{outer}"


def _tell_start(plan: Plan) -> str:
    tasks = len({study.task for study in plan.studies})
    names = {(study.kind, study.arm) for study in plan.studies}
    kinds = Counter(kind for kind, _ in names)
    fits = sum(study.fits for study in plan.studies)
    controls = [count_noun(kinds["control"], "control")] if kinds["control"] else []
    counts = (count_noun(kinds["arm"], "arm"), count_noun(kinds["baseline"], "baseline"), *controls)
    return " · ".join((plan.suite, count_noun(tasks, "task"), *counts, count_noun(fits, "fit"))) + " at most"
