"""RayPool: folds fitted in warm Ray workers, some of which are late or die."""

from __future__ import annotations

import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.credentials import names_secret
from harness.errors import EnvironmentFault, HarnessError
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import (
    THREADS,
    Cluster,
    count_places,
    find_own_node,
    list_nodes,
)
from harness.search.events import Event, WorkerLost
from harness.search.pool import Bench, Scorer, failed_score, first_lines, late_score, score_safely

DEATHS = 2  # of workers under one fold: the first is bad luck
LOSSES = 8  # of workers under one fold, those of lost nodes too: it may be what takes the machines down
STARTS = 3  # that fail one after the other before the pool gives up
START_S = 900.0  # without any worker before the pool gives up: a cluster may first have to buy a machine
FOLLOW_S = 3.0  # how often the pool looks which nodes there are, and starts workers that failed to start
MOST_PAUSES = 20  # between two looks, where starts fail again and again: a node may be broken all night


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a worker is given: CPUs and GPUs of its node, which Ray counts, and the threads that it computes with."""

    cpus: float = 1.0
    gpus: float = 0.0
    threads: int = 1
    spread: bool = False  # over the nodes, else Ray fills one after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker lives, by its own word."""

    pid: int
    host: str
    node: str  # Ray's name of it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A fold that somebody is to fit, how long that may take, and where workers died under it.

    The moment is kept when it is asked again: a deadline does not move.
    """

    job: FoldJob
    limit_s: float | None
    late_at: float  # on the monotonic clock; infinite without a limit
    died_on: tuple[str, ...] = ()  # the nodes


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A Ray actor and what it was asked last; `actor` and `future` are Ray's own handles, which have no static type.

    It is idle where there is no future. A future without a fold is its word that it is there.
    """

    actor: Any
    future: Any
    asked: _Asked | None = None
    bench: Bench | None = None
    place: Place | None = None
    peak_bytes: int = 0  # of resident memory, when it was seen last


class RayPool:
    """Fits folds in warm actors of a Ray cluster, of which there are `workers`, or as many as fit but for `most`.

    On this process's own cluster they stand in its working directory. A fold whose worker dies is asked again, once, of
    whoever is idle first; one over its limit is given up. Where the cluster grows or shrinks the workers follow. When
    this process dies, even by kill -9, they end within seconds. `close` ends the cluster too if it is its own.
    """

    def __init__(
        self,
        open_scorer: Callable[[], Scorer],
        cluster: Cluster,
        *,
        workers: int | None,
        most: int = 1024,
        claim: Claim = Claim(),
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._on_event = on_event
        self._cluster = cluster
        self._claim = claim
        self._wanted, self._most = workers, most
        self._workers: list[_Worker] = []
        self._again: deque[_Asked] = deque()  # folds that lost their worker
        self._failed_starts = 0
        self._heard_at, self._looked_at = time.monotonic(), float("-inf")
        try:
            self._node = find_own_node()
            self._actor_class = _declare_actor(claim)
            self._arguments = open_scorer, claim.threads, None if cluster.shared else str(Path.cwd())
            self._follow()
        except BaseException:
            self.close()
            raise

    def idle(self) -> tuple[Bench | None, ...]:
        """Return the bench that each idle worker served last; one that is being started is not idle."""
        return tuple(worker.bench for worker in self._list_idle())

    def submit(self, job: FoldJob, limit_s: float | None) -> None:
        """Give a job to the idle worker that knows its bench, else to a new one, else to any."""
        late_at = math.inf if limit_s is None else time.monotonic() + limit_s
        self._give(_Asked(job=job, limit_s=limit_s, late_at=late_at))

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Return the folds that have ended; one that lost its worker is asked again, or given up."""
        import ray

        self._follow()
        expected = {worker.future: worker for worker in self._workers if worker.future is not None}
        if not expected:
            self._pause(self._patience(limit_s))
            return self._give_up_waiting()
        ready, _ = ray.wait(list(expected), num_returns=1, timeout=self._patience(limit_s), fetch_local=True)
        if ready:
            ready, _ = ray.wait(list(expected), num_returns=len(expected), timeout=0, fetch_local=True)
        answers = [self._hear(expected[future]) for future in ready]
        answers += [self._give_up(worker) for worker in list(self._workers)]
        answers += self._give_up_waiting()
        while self._again and self._list_idle():
            self._give(self._again.popleft())
        self._check_life()
        return [answer for answer in answers if answer is not None]

    def close(self) -> None:
        """End the workers, and the cluster if it is this process's own."""
        self._cluster.close()

    def _follow(self) -> None:
        """Start workers where there are too few, drop those that found no room, replace those whose node has gone."""
        now = time.monotonic()
        if now - self._looked_at < FOLLOW_S * min(MOST_PAUSES, 1 + self._failed_starts):
            return
        self._looked_at = now
        if self._cluster.shared:
            nodes = list_nodes()
            for worker in self._list_idle():
                if worker.place is not None and worker.place.node not in nodes:
                    self._drop(worker)
        wanted = self._count_wanted()
        waiting = [worker for worker in self._workers if worker.place is None]
        for worker in waiting[: max(0, len(self._workers) - wanted)]:
            self._drop(worker)
        self._workers += [self._start() for _ in range(wanted - len(self._workers))]

    def _count_wanted(self) -> int:
        if self._wanted is not None:
            return self._wanted
        return min(self._most, count_places(cpus=self._claim.cpus, gpus=self._claim.gpus))

    def _pause(self, limit_s: float) -> None:
        """Wait where nobody can answer: all are idle, or the cluster has no room for a single worker."""
        self._check_life()
        if not self._workers:
            time.sleep(min(limit_s, FOLLOW_S))

    def _list_idle(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.future is None]

    def _start(self) -> _Worker:
        actor = self._actor_class.remote(*self._arguments)
        return _Worker(actor=actor, future=actor.say_place.remote())

    def _give(self, asked: _Asked) -> None:
        job = asked.job
        bench = (job.task, job.backbone)
        worker = min(self._list_idle(), key=lambda worker: (worker.bench != bench, worker.bench is not None))
        worker.asked, worker.bench = asked, bench
        worker.future = worker.actor.score.remote(job)

    def _patience(self, limit_s: float) -> float:
        """Return how long to wait at most, so that no late fold is given up much later than it should be."""
        asked = [*self._again, *(worker.asked for worker in self._workers if worker.asked is not None)]
        return max(0.0, min([limit_s, *(each.late_at - time.monotonic() for each in asked)]))

    def _hear(self, worker: _Worker) -> tuple[FoldJob, FoldScore] | None:
        """Take a worker's answer, a fold's score or that it is there; or learn of its death."""
        import ray

        future, asked = worker.future, worker.asked
        worker.future = worker.asked = None
        try:
            answer = ray.get(future)
        except ray.exceptions.RayTaskError as fault:
            cause = fault.cause if isinstance(fault.cause, Exception) else fault
            if asked is not None:
                return asked.job, failed_score(asked.job, cause)
            # A node that cannot work must not end the night; what no worker can open is a person's to mend.
            if isinstance(cause, HarnessError) and not self._has_others(worker):
                raise cause from None
            return self._lose(worker, None, cause)
        except ray.exceptions.RayError as death:
            return self._lose(worker, asked, death)
        if asked is None:
            worker.place, self._failed_starts = answer, 0
            return None
        return asked.job, answer

    def _lose(
        self, worker: _Worker, asked: _Asked | None, death: Exception
    ) -> tuple[FoldJob, FoldScore] | None:
        """Put a new worker in a dead one's place; its fold waits for whoever is idle first, if it did not die of it."""
        self._drop(worker)
        self._on_event(WorkerLost(cause=f"{_name(worker)}: {first_lines(death)}"))
        # Its node may be gone, and others with it: whoever is idle says again that it is there.
        for other in self._list_idle():
            other.future = other.actor.say_place.remote()
        if asked is None:  # `_follow` starts another one, for what failed now fails again at once
            self._failed_starts += 1
            if self._failed_starts >= STARTS * (len(self._workers) + 1) and not self._has_others(worker):
                raise EnvironmentFault(f"no worker can be started: {first_lines(death)}")
            return None
        self._workers.append(self._start())
        assert worker.place is not None, "who has a fold has said its place"
        asked = replace(asked, died_on=(*asked.died_on, worker.place.node))
        if _count_deaths(asked.died_on) < DEATHS and len(asked.died_on) < LOSSES:
            self._again.append(asked)
            return None
        cause = f"its worker died {len(asked.died_on)} times{_say_memory(worker)}: {first_lines(death)}"
        return asked.job, failed_score(asked.job, RuntimeError(cause))

    def _give_up(self, worker: _Worker) -> tuple[FoldJob, FoldScore] | None:
        """Replace a worker whose fold is over its limit, and return that; None where there is none."""
        if worker.place is not None and worker.place.node == self._node:
            worker.peak_bytes = max(worker.peak_bytes, _read_peak(worker.place.pid))
        asked = worker.asked
        if asked is None or asked.limit_s is None or time.monotonic() < asked.late_at:
            return None
        self._on_event(WorkerLost(cause=f"{_name(worker)}: no answer within {round(asked.limit_s, 2):g} s"))
        self._drop(worker)
        self._workers.append(self._start())
        return asked.job, late_score(asked.job, asked.limit_s)

    def _give_up_waiting(self) -> list[tuple[FoldJob, FoldScore]]:
        """Return the folds over their limit that wait for a worker in the place of a dead one."""
        late = [asked for asked in self._again if time.monotonic() >= asked.late_at]
        self._again = deque(asked for asked in self._again if asked not in late)
        return [(asked.job, late_score(asked.job, asked.limit_s or 0.0)) for asked in late]

    def _has_others(self, worker: _Worker) -> bool:
        """Say whether another worker has been there, so that the fault is not everybody's."""
        return any(other.place is not None for other in self._workers if other is not worker)

    def _drop(self, worker: _Worker) -> None:
        import ray

        ray.kill(worker.actor)
        self._workers.remove(worker)

    def _check_life(self) -> None:
        """Raise `EnvironmentFault` where nobody has been there for long: a night must not be waited away."""
        now = time.monotonic()
        if any(worker.future is None or worker.asked is not None for worker in self._workers):
            self._heard_at = now
        if now - self._heard_at > START_S:
            raise EnvironmentFault(
                f"no worker was there for {START_S / 60:.0f} min: look at what the machine, or the cluster, has free. "
                "What was finished is safe; the same command goes on"
            )


def _count_deaths(nodes: Sequence[str]) -> int:
    """Count the deaths that are the fold's own: a node that is lost, which is seen late, takes its workers along."""
    alive = list_nodes()
    return sum(node in alive for node in nodes)


def _name(worker: _Worker) -> str:
    return (
        f"process {worker.place.pid} on {worker.place.host}"
        if worker.place
        else "a worker that was being started"
    )


def _say_memory(worker: _Worker) -> str:
    """Say how much memory a dead worker held: the system ends the largest process where memory runs out."""
    return f", {worker.peak_bytes / 1e9:.1f} GB resident at last sight" if worker.peak_bytes else ""


def _read_peak(pid: int) -> int:
    """Return the most memory that a process on this machine has held, 0 where that cannot be seen."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it is dead, or this is no Linux
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def _declare_actor(claim: Claim) -> Any:
    """Return the class of a warm worker; it is made here because Ray is imported late."""
    import ray

    class FoldWorker:
        def __init__(
            self, open_scorer: Callable[[], Scorer], threads: int, working_directory: str | None
        ) -> None:
            # A joined cluster's nodes were started by others, with an environment of their own.
            for name in [name for name in os.environ if names_secret(name) and not name.startswith("RAY_")]:
                del os.environ[name]
            os.environ |= dict.fromkeys(THREADS, str(threads))
            if working_directory is not None:
                os.chdir(working_directory)
            self._open_scorer = open_scorer
            self._scorer: Scorer | None = None

        def say_place(self) -> Place:
            if self._scorer is None:  # before the first fold, whose time it is not
                self._scorer = self._open_scorer()
            return Place(pid=os.getpid(), host=socket.gethostname(), node=find_own_node())

        def score(self, job: FoldJob) -> FoldScore:
            assert self._scorer is not None, "who says its place first has a scorer"
            return score_safely(self._scorer, job)

    # A fold that died may have died of itself: Ray repeats nothing, `RayPool` counts.
    return ray.remote(
        num_cpus=claim.cpus,
        num_gpus=claim.gpus,
        scheduling_strategy="SPREAD" if claim.spread else "DEFAULT",
        max_restarts=0,
        max_task_retries=0,
    )(FoldWorker)
