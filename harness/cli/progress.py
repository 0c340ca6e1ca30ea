"""What a person sees, and may say, while a suite runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from harness.cli.descendants import end_descendants
from harness.cli.underway import Underway
from harness.errors import StorageError
from harness.logbook import name_study, tell_plan
from harness.record.log import write_log
from harness.report.numbers import count_noun, show_span

if TYPE_CHECKING:
    from harness.plan import Plan, Study
    from harness.report.console import Terminal, Watch
    from harness.search.events import Event, TrialEnded

Listener = Callable[["Event"], None]
FORCED = {signal.SIGINT: 130, signal.SIGTERM: 143}
SAYING_S = 0.5  # is waited for a word to be said, where stderr is slow
SHOW_CURSOR = b"\x1b[?25h"
AGAIN = "Ctrl-C again ends at once and loses only these"


class Interrupts:
    """Ctrl-C once lets running folds finish; twice, or SIGTERM, ends the process at once: what is durable stays.

    A terminal that closes (SIGHUP) ends nothing. Before folds run, in a download say, Ctrl-C raises KeyboardInterrupt
    as ever: nothing is worth waiting for.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = False
        self._saying: threading.Thread | None = None
        self._tell_running: Callable[[], str] = lambda: ""
        self._log: Callable[[str, str], None] = lambda kind, text: None

    def asked(self) -> bool:
        """Say whether no new fold should start."""
        return self._asked

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*FORCED, signal.SIGHUP)}
        signal.signal(signal.SIGTERM, self._hear)
        # Ignored, so that processes started from here on ignore it too: a handler would not be inherited.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def listen(self, tell_running: Callable[[], str], log: Callable[[str, str], None]) -> None:
        """Take Ctrl-C, for what starts from now on is worth waiting for.

        `tell_running` says what runs and how long it may take, `log` takes a kind and a text.
        """
        self._tell_running, self._log = tell_running, log
        signal.signal(signal.SIGINT, self._hear)

    def listen_again(self) -> None:
        """Take every signal, when all processes of a library run: it may have taken some, and they ignore SIGHUP."""
        for number in FORCED:
            signal.signal(number, self._hear)
        signal.signal(signal.SIGHUP, self._hear_hangup)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, SystemExit) and error.code == signal.SIGTERM:
            self._end(signal.SIGTERM)  # Ray 2.60 makes this of the signal, until `listen_again`
        if self._saying is not None:
            self._saying.join(SAYING_S)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and not self._asked:
            self._asked = True
            told = f"finishing the folds that run{self._tell_running()}; {AGAIN}"
            self._log("signal", f"Ctrl-C: {told}")
            self._say_beside(told)
            return
        self._end(number)

    def _say_beside(self, told: str) -> None:
        """Say it by a thread: this one may be in the midst of writing to stderr, which cannot be entered twice."""
        self._saying = threading.Thread(target=self._say, args=(told,), daemon=True)
        self._saying.start()
        self._saying.join(SAYING_S)

    def _hear_hangup(self, number: int, frame: FrameType | None) -> None:
        self._log("signal", "SIGHUP: the terminal has gone, the run goes on")

    def _end(self, number: int) -> NoReturn:
        """End this process and all below it at once; no fold is half recorded."""
        with suppress(OSError):  # the terminal may have gone
            if os.isatty(sys.stderr.fileno()):
                os.write(sys.stderr.fileno(), SHOW_CURSOR)  # no context of the bars is left by os._exit
        self._log("forced", f"{signal.Signals(number).name}: the folds that ran will run again")
        end_descendants()  # Ray's agents would outlive this process by a hundred seconds
        os._exit(FORCED[signal.Signals(number)])


@contextmanager
def watch_run(
    screen: Terminal,
    interrupts: Interrupts,
    folder: Path,
    *,
    quiet: bool,
    tell_trouble: Callable[[str], None] = lambda message: None,
) -> Iterator[Callable[[Plan], Listener]]:
    """Give what `run_suite` asks for its listener, and give the cursor back in the end.

    `folder` is the run's; `tell_trouble` hears what a person may want to mend while it runs.
    """
    opened: list[Watch] = []
    underway = Underway()

    def log(kind: str, text: str) -> None:
        with suppress(StorageError):  # a signal is followed, whether or not it can be noted
            write_log(folder, kind, text)

    def open_listener(plan: Plan) -> Listener:
        from harness.search.events import PoolOpened

        interrupts.listen(underway.tell, log)
        narrators = [] if quiet else [_open_narrator(plan, screen, opened).tell]
        listeners: list[Listener] = [underway.note, _Troubles(plan, tell_trouble).note, *narrators]

        def listen(event: Event) -> None:
            if isinstance(event, PoolOpened):
                interrupts.listen_again()  # Ray has just started, and took SIGTERM
            for listener in listeners:
                listener(event)

        return listen

    try:
        yield open_listener
    finally:
        for watch in opened:
            watch.__exit__(None, None, None)


def _open_narrator(plan: Plan, screen: Terminal, opened: list[Watch]) -> _Narrator:
    screen.say(tell_plan(plan))
    totals = Counter[str]()
    for study in {study.id: study for study in plan.studies}.values():
        totals[study.task] += study.trials
    watch = screen.watch(totals)
    watch.__enter__()
    opened.append(watch)
    return _Narrator(plan, watch)


class _Troubles:
    """Tells of studies that were given up."""

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self._suite = plan.suite
        self._studies = {study.id: study for study in plan.studies}
        self._tell = tell

    def note(self, event: Event) -> None:
        from harness.search.events import StudyStopped

        if isinstance(event, StudyStopped):
            self._tell(f"{self._suite}: {name_study(self._studies[event.study])} was given up: {event.cause}")


class _Narrator:
    """Turns events into bars and lines, counting trials and keeping the best score of each task."""

    def __init__(self, plan: Plan, watch: Watch) -> None:
        self._studies: dict[str, Study] = {study.id: study for study in plan.studies}
        self._watch = watch
        self._done = Counter[str]()
        self._best: dict[str, float] = {}

    def tell(self, event: Event) -> None:
        """Show one event."""
        from harness.search.events import Expected, StudyStopped, TrialEnded

        if isinstance(event, Expected):
            workers = count_noun(event.workers, "worker")
            self._watch.expect(f"about {show_span(event.remaining_s)} left on {workers}")
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
        return name_study(self._studies[study])
