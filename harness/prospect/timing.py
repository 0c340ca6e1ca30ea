"""Timing: what one fit takes on this machine, measured once for each task on each backbone and kept by content."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from harness.cache import sum_used_since
from harness.candidate import Candidate, Space, build_candidate, list_depths
from harness.errors import EnvironmentFault
from harness.machine import name_processor
from harness.plan import Plan, Study, identify_bench
from harness.record.files import make_folder, write_whole
from harness.record.scores import FoldJob, FoldScore
from harness.search.pool import Bench
from harness.spec.models import Spec
from harness.spec.ranges import Choice, Scalar, Span, Value

FOLDER = "timings"
VERSION = 2  # of what is measured: another one is measured again
# Each fit predicts all rows once, whatever its epochs. With this three epochs take 2.43 times one; 2.6 were seen of
# MiniLM on tweets, 2.3 of EfficientNet-Lite0 on pictures.
PREDICTING = 0.4
Score = Callable[[FoldJob], FoldScore]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What was measured on one task and backbone: fits of one epoch, at the least and the greatest depth."""

    open_s: float  # until a worker can begin its first fit
    fill_s: float  # until the shelf holds what every further fit starts from
    depths: tuple[tuple[int, float], ...]  # frozen blocks and seconds, of one epoch
    baselines: tuple[tuple[str, float], ...]
    peak_bytes: int  # of the process that fitted
    shelf_bytes: int  # of the activations that the fits used, with those filled beside them
    busy: float = 1.0  # seconds for each second of processor time: 1 on idle cores

    def fit_s(self, depth: float, epochs: float) -> float:
        """Return the seconds of a fit, on the line between the depths that were measured."""
        (least, deep_s), (most, shallow_s) = self.depths[0], self.depths[-1]
        share = (depth - least) / (most - least) if most > least else 0.0
        once_s = max(min(deep_s, shallow_s) / 2, deep_s + (shallow_s - deep_s) * share)
        return once_s * (epochs + PREDICTING) / (1 + PREDICTING)


Timings = Mapping[Bench, Timing]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """The fits that stand for all of a task on a backbone."""

    deep: FoldJob  # trains the most
    shallow: FoldJob  # freezes the most
    baselines: tuple[FoldJob, ...]


def read_timings(plan: Plan, spec: Spec, cache: Path) -> dict[Bench, Timing]:
    """Return what was measured before of the tasks and backbones of a plan, on a machine like this one."""
    found = {bench: _read(_path(plan, spec, bench, cache)) for bench in list_benches(plan)}
    return {bench: timing for bench, timing in found.items() if timing is not None}


def time_bench(
    plan: Plan,
    spec: Spec,
    bench: Bench,
    cache: Path,
    *,
    score: Score,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing | str:
    """Fit a task on a backbone once at either end of its depths, for one epoch, and keep what that took.

    Returns in words why nothing was learned where a fit failed. Raises `EnvironmentFault` where one fit is more than
    the memory here, and what `score` raises for data and checkpoints that cannot be used.
    """
    probe = _choose_probe(plan, bench)
    began, began_s = time.time(), clock()
    first = score(probe.shallow)  # which opens the bench, fills the shelf, and finds everything cold
    open_s = clock() - began_s - first.fit_s
    second, deep = score(probe.shallow), score(probe.deep)
    baselines = [(job.arm, score(job)) for job in probe.baselines]
    for each in (deep, second):
        if each.state == "oom":
            raise EnvironmentFault(
                f"{' · '.join(bench)}: one fit is more than the memory here ({each.error}). Use a smaller backbone, a "
                "smaller batch_size or max_tokens, or a machine with more memory."
            )
        if each.state != "ok":
            return f"{' · '.join(bench)} could not be timed: {each.error}"
    timing = Timing(
        open_s=max(0.0, open_s),
        fill_s=max(0.0, first.fit_s - second.fit_s),
        depths=tuple(sorted({_depth(probe.deep): deep.fit_s, _depth(probe.shallow): second.fit_s}.items())),
        baselines=tuple((name, each.fit_s) for name, each in baselines),
        peak_bytes=max(each.peak_rss_bytes or 0 for each in (deep, first, second)),
        shelf_bytes=sum_used_since(cache, began),
        busy=_measure_busy(spec, (deep, second)),
    )
    path = _path(plan, spec, bench, cache)
    make_folder(path.parent)
    write_whole(path, json.dumps(asdict(timing)).encode())
    return timing


def _measure_busy(spec: Spec, scores: Sequence[FoldScore]) -> float:
    """Return how many times as long as the processor worked fits took; 1 where a GPU did the work unseen."""
    cpu_s = sum(score.cpu_s for score in scores)
    if spec.compute.gpus_per_worker or not cpu_s:
        return 1.0
    return max(1.0, sum(score.fit_s for score in scores) / cpu_s)


def list_benches(plan: Plan) -> list[Bench]:
    """Return every task with every backbone that it has, in the order of the plan."""
    return list(dict.fromkeys((study.task, study.backbone) for study in plan.studies))


def hint_fits(plan: Plan, timings: Timings) -> dict[Bench, float]:
    """Return the mean seconds that a fit of the arms takes, over their depths and epochs, where it was timed."""
    hints = {}
    for bench, timing in timings.items():
        spaces = [study.space for study in _searched(plan, bench) if study.space is not None]
        means = [timing.fit_s(_mean_depth(space), mean_epochs(space)) for space in spaces]
        if means:
            hints[bench] = sum(means) / len(means)
    return hints


def mean_epochs(space: Space) -> float:
    """Return the epochs that a fit of a space trains for in the mean; early stopping fits twice."""
    low, high = find_ends(dict(space.values)["epochs"])
    return (low + high) / 2 * (1 if space.patience is None else 2)


def find_ends(value: Value) -> tuple[float, float]:
    """Return the least and the greatest number that a value may take."""
    if isinstance(value, Span):
        assert not isinstance(value.low, str)
        assert not isinstance(value.high, str)
        return float(value.low), float(value.high)
    if isinstance(value, Choice):
        numbers = [float(option) for option in value.options if not isinstance(option, str)]
        return min(numbers), max(numbers)
    assert value is not None
    return float(value), float(value)


def _mean_depth(space: Space) -> float:
    depths = list_depths(dict(space.values)["freeze_depth"])
    return sum(depths) / len(depths)


def _searched(plan: Plan, bench: Bench) -> list[Study]:
    studies = [study for study in plan.studies if (study.task, study.backbone) == bench]
    return [study for study in studies if study.kind == "arm"]


def find_largest(plan: Plan, bench: Bench) -> Space:
    """Return the space of the arm that trains the most of a backbone on a task."""
    spaces = [study.space for study in _searched(plan, bench) if study.space is not None]
    return min(spaces, key=lambda space: list_depths(dict(space.values)["freeze_depth"])[0])


def _choose_probe(plan: Plan, bench: Bench) -> _Probe:
    spaces = [(study, study.space) for study in _searched(plan, bench) if study.space is not None]
    ends = [(list_depths(dict(space.values)["freeze_depth"]), study, space) for study, space in spaces]
    deep, deep_study, deep_space = min(ends, key=lambda end: end[0][0])
    shallow, shallow_study, shallow_space = max(ends, key=lambda end: end[0][-1])
    beside = {
        study.arm: FoldJob.of(study, 0, None, repeat=0, fold=0)
        for study in plan.studies
        if (study.task, study.backbone) == bench and study.kind == "baseline"
    }
    return _Probe(
        deep=_job(deep_study, _pin(deep_space, deep[0])),
        shallow=_job(shallow_study, _pin(shallow_space, shallow[-1])),
        baselines=tuple(beside.values()),
    )


def _job(study: Study, candidate: Candidate) -> FoldJob:
    return FoldJob.of(study, 0, candidate, repeat=0, fold=0)


def _depth(job: FoldJob) -> int:
    assert job.candidate is not None
    return job.candidate.freeze_depth


def _pin(space: Space, depth: int) -> Candidate:
    """Return the candidate that is timed: one epoch at a depth, counts in the middle and rates at their low ends."""
    plain = Space(method=space.method, blocks=space.blocks, values=space.values)  # without early stopping
    drawn = {name: _pin_value(value) for name, value in space.values if isinstance(value, (Span, Choice))}
    return build_candidate(plain, drawn | {"freeze_depth": depth, "epochs": 1})


def _pin_value(value: Span | Choice) -> Scalar:
    if isinstance(value, Choice):
        return value.options[len(value.options) // 2]
    low, high = find_ends(value)
    return int((low + high) // 2) if value.scale == "int" else low


def _path(plan: Plan, spec: Spec, bench: Bench, cache: Path) -> Path:
    """Return where a timing lies: by all that makes a fit longer or shorter, the machine included."""
    probe = _choose_probe(plan, bench)
    candidates = [job.candidate.digest() for job in (probe.deep, probe.shallow) if job.candidate is not None]
    parts = [
        VERSION,
        identify_bench(spec, plan.survey, *bench),
        candidates,
        [job.arm for job in probe.baselines],
        [spec.compute.threads, spec.compute.gpus_per_worker],
        [version(name) for name in ("torch", "transformers")],
        name_processor(),
    ]
    name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    return cache / FOLDER / f"{name}.json"


def _read(path: Path) -> Timing | None:
    """Return a timing that was kept; None where there is none, or none that is whole: it is measured again."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        pairs = {
            key: tuple((first, float(second)) for first, second in raw[key])
            for key in ("depths", "baselines")
        }
        return Timing(**raw | pairs)
    except (OSError, ValueError, TypeError, KeyError):
        return None
