"""Pool: where folds are fitted, in this process or in warm Ray workers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.errors import HarnessError
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import start_cluster

Scorer = Callable[[FoldJob], FoldScore]
Bench = tuple[str, str]  # task and backbone: what a worker keeps open, and what is expensive to open

DEATHS = 2  # of one fold: the first is bad luck
MESSAGE_LINES = 3


class Pool(Protocol):
    """Workers that fit folds, one each at a time."""

    def idle(self) -> tuple[Bench | None, ...]:
        """Return for each idle worker the bench that it served last, None for one that served none."""

    def submit(self, job: FoldJob) -> None:
        """Give a job to an idle worker, one that served the job's bench last if there is one."""

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Return the folds that have finished, waiting up to `limit_s` for the first one."""

    def close(self) -> None:
        """Let the workers go, finished or not."""


class LocalPool:
    """Fits one fold at a time in this process; `wait` does the fitting, however long it takes."""

    def __init__(self, open_scorer: Callable[[], Scorer]) -> None:
        self._open_scorer = open_scorer
        self._scorer: Scorer | None = None
        self._job: FoldJob | None = None
        self._bench: Bench | None = None

    def idle(self) -> tuple[Bench | None, ...]:
        """Return the bench served last, nothing while a job waits."""
        return () if self._job else (self._bench,)

    def submit(self, job: FoldJob) -> None:
        """Keep a job for the next `wait`."""
        assert self._job is None, "one fold at a time"
        self._job = job
        self._bench = (job.task, job.backbone)

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Fit the fold that was submitted."""
        if self._job is None:
            return []
        if self._scorer is None:
            self._scorer = self._open_scorer()
        job, self._job = self._job, None
        return [(job, _score_safely(self._scorer, job))]

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A warm Ray actor and what it does; `actor` and `future` are Ray's own handles, which have no static type."""

    actor: Any
    bench: Bench | None = None
    job: FoldJob | None = None
    future: Any = None
    deaths: int = 0  # of workers under this job


class RayPool:
    """Fits folds in warm actors of a private Ray cluster on this machine.

    Workers stand in this process's working directory. A fold whose worker dies is repeated once. When this process
    dies, even by kill -9, its workers end within seconds.
    """

    def __init__(
        self,
        open_scorer: Callable[[], Scorer],
        *,
        workers: int,
        threads: int = 1,
        gpus_per_worker: float = 0.0,
    ) -> None:
        self._open_scorer = open_scorer
        self._working_directory = Path.cwd()
        self._cluster = start_cluster(workers=workers, threads=threads)
        try:
            self._actor_class = _declare_actor(gpus_per_worker)
            self._workers = [_Worker(actor=self._start()) for _ in range(workers)]
        except BaseException:
            self.close()
            raise

    def idle(self) -> tuple[Bench | None, ...]:
        """Return the bench that each idle worker served last."""
        return tuple(worker.bench for worker in self._workers if worker.job is None)

    def submit(self, job: FoldJob) -> None:
        """Give a job to the idle worker that knows its bench, else to a new one, else to any."""
        bench = (job.task, job.backbone)
        idle = [worker for worker in self._workers if worker.job is None]
        worker = min(idle, key=lambda worker: (worker.bench != bench, worker.bench is not None))
        worker.job, worker.bench, worker.deaths = job, bench, 0
        worker.future = worker.actor.score.remote(job)

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Return the folds that have finished; a fold that lost its worker is started again, or given up."""
        import ray

        busy = {worker.future: worker for worker in self._workers if worker.job is not None}
        if not busy:
            return []
        ready, _ = ray.wait(list(busy), num_returns=1, timeout=limit_s, fetch_local=True)
        if ready:
            ready, _ = ray.wait(list(busy), num_returns=len(busy), timeout=0, fetch_local=True)
        answers = [self._collect(busy[future]) for future in ready]
        return [answer for answer in answers if answer is not None]

    def close(self) -> None:
        """End the cluster and its workers."""
        self._cluster.close()

    def _start(self) -> Any:
        return self._actor_class.remote(self._open_scorer, str(self._working_directory))

    def _collect(self, worker: _Worker) -> tuple[FoldJob, FoldScore] | None:
        import ray

        job = worker.job
        assert job is not None
        try:
            score: FoldScore = ray.get(worker.future)
        except ray.exceptions.RayTaskError as fault:
            cause = fault.cause
            if isinstance(cause, HarnessError):  # the scorer could not be opened, or the disk is full
                raise cause from None
            score = failed_score(job, cause if isinstance(cause, Exception) else fault)
        except ray.exceptions.RayError as death:
            return self._repeat(worker, job, death)
        worker.job = worker.future = None
        return job, score

    def _repeat(self, worker: _Worker, job: FoldJob, death: Exception) -> tuple[FoldJob, FoldScore] | None:
        """Put a new worker in the dead one's place and its fold there once more."""
        import ray

        worker.deaths += 1
        ray.kill(worker.actor)
        worker.actor = self._start()
        if worker.deaths < DEATHS:
            worker.future = worker.actor.score.remote(job)
            return None
        worker.job = worker.future = None
        return job, failed_score(job, RuntimeError(f"its worker died {DEATHS} times: {_first_lines(death)}"))


def failed_score(job: FoldJob, fault: Exception) -> FoldScore:
    """Return the score of a fold that ended in a fault no scorer caught."""
    return FoldScore(
        study=job.study,
        trial=job.trial,
        repeat=job.repeat,
        fold=job.fold,
        fraction=job.fraction,
        outer_fold=job.outer_fold,
        state="error",
        error=f"{type(fault).__name__}: {_first_lines(fault)}",
        freeze_depth=job.candidate.freeze_depth if job.candidate else None,
        host=socket.gethostname(),
    )


def _score_safely(scorer: Scorer, job: FoldJob) -> FoldScore:
    """Return a fold's score, whatever happens to it but what a person must mend: that ends the run."""
    try:
        score = scorer(job)
    except HarnessError:
        raise
    except Exception as fault:  # noqa: BLE001  # one fold's fault must not end the suite; the fault is recorded
        return failed_score(job, fault)
    assert score.key == job.key, f"asked for {job.key}, was answered {score.key}"
    return score


def _first_lines(fault: BaseException) -> str:
    return "\n".join(str(fault).strip().splitlines()[:MESSAGE_LINES])


def _declare_actor(gpus: float) -> Any:
    """Return the class of a warm worker; it is made here because Ray is imported late."""
    import ray

    class FoldWorker:
        def __init__(self, open_scorer: Callable[[], Scorer], working_directory: str) -> None:
            os.chdir(working_directory)
            self._open_scorer = open_scorer
            self._scorer: Scorer | None = None

        def score(self, job: FoldJob) -> FoldScore:
            if self._scorer is None:
                self._scorer = self._open_scorer()
            return _score_safely(self._scorer, job)

    # A fold that died may have died of itself: Ray repeats nothing, `RayPool` counts.
    return ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(FoldWorker)
