"""Proposals: what a study tries next. The only module that knows Optuna.

The ledger is the truth and a journal is a copy of it for Optuna's own tools: a journal that is absent, damaged or
says something else is written anew when it is opened. Trial numbers are ours: 0, 1, … in the order of distinct
candidates, kept by Optuna in each trial's user attribute `trial`. A candidate that was asked before is told FAIL
and carries no number; samplers do not look at failed trials.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import OptunaError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.candidate import Candidate, Space, build_candidate, count_candidates
from harness.plan import Study
from harness.record import scores
from harness.record.files import make_folder, storage_faults, write_whole
from harness.record.history import History, TrialRecord
from harness.record.means import mean_score, running_means
from harness.search.journal import Journal
from harness.search.points import check_grids, drawn_values, hash_words, is_drawn, walk_points
from harness.spec.models import Search
from harness.spec.ranges import Choice, Scalar, Span

FOLDER = "studies"
BEST_TRIALS = 5  # at least, that importances rest on
TPE_ASKS, RANDOM_ASKS = 10, 20  # how often a repeated candidate is asked away before the points are walked
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
}
# All that replaying a damaged journal was seen to raise; the operating system's faults are not among them.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, OptunaError)


class Proposals:
    """One study's candidates, answers and pruning decisions, mirrored in its journal."""

    def __init__(self, path: Path, study: Study, search: Search, storage: JournalStorage) -> None:
        assert study.space is not None
        self._path = path
        self._space: Space = study.space
        self._plan = study
        self._search = search
        self._storage = storage
        self._study = optuna.load_study(study_name=study.id, storage=storage)
        trials = _numbered(self._study)
        self._numbers = {number: trial.number for number, trial in trials.items()}
        self._means = {number: dict(trial.intermediate_values) for number, trial in trials.items()}
        self._complete = {n for n, trial in trials.items() if trial.state == TrialState.COMPLETE}
        self._seen = {build_candidate(self._space, trial.params).digest() for trial in trials.values()}

    @classmethod
    def open(cls, folder: Path, study: Study, search: Search, history: History) -> Proposals:
        """Open a study's journal under the run's claim, as the ledger's history has it.

        Trials that were running when the process died are running still: report and tell them like any other.
        Raises SpecError where the sampler is a grid and the space has no points.
        """
        if search.sampler == "grid":
            check_grids([study])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = (folder / FOLDER / f"{study.id}.journal").absolute()
        make_folder(path.parent)
        wanted = {record.trial: _as_optuna(study, record) for record in history.of(study.id)}
        storage = _load(path, study.id)
        if storage is None or not _agree(optuna.load_study(study_name=study.id, storage=storage), wanted):
            write_whole(path, _journal_of(study, wanted.values()))
            storage = _load(path, study.id)
        assert storage is not None
        return cls(path, study, search, storage)

    def ask(self) -> tuple[int, Candidate] | None:
        """Return the next trial's number and candidate, None when all trials were asked or no other candidate is.

        What is proposed depends on the study, the answers so far and the number of candidates asked, not on the
        process that asks.
        """
        if len(self._numbers) >= self._plan.trials:
            return None
        number = next(n for n in range(self._plan.trials) if n not in self._numbers)
        with storage_faults(self._path):
            for sampler in self._samplers(number):
                self._study.sampler = sampler
                trial = self._study.ask()
                candidate = build_candidate(self._space, _suggest(trial, self._space))
                if candidate.digest() not in self._seen:
                    trial.set_user_attr("trial", number)
                    self._numbers[number] = trial.number
                    self._means[number] = {}
                    self._seen.add(candidate.digest())
                    return number, candidate
                self._study.tell(trial, state=TrialState.FAIL)
        return None

    def report(self, trial: int, step: int, mean: float) -> None:
        """Note the mean of a trial's folds up to `step`; what is known already is not written again."""
        if step in self._means[trial]:
            return
        with storage_faults(self._path):
            identity = self._storage.get_trial_id_from_study_id_trial_number(
                self._storage.get_study_id_from_name(self._plan.id), self._numbers[trial]
            )
            self._storage.set_trial_intermediate_value(identity, step, mean)
        self._means[trial][step] = mean

    def should_prune(self, trial: int) -> bool:
        """Tell whether a trial's running mean is worse than the median of the complete trials at the same fold.

        No before `search.startup` trials are complete (Golovin et al. 2017, Vizier, section 3.2.2; here the trial's
        own running mean is compared, not its best one: one lucky fold must not save it).
        """
        if self._search.pruner == "none" or not self._means[trial]:
            return False
        step = max(self._means[trial])
        others = [self._means[n][step] for n in self._complete if n != trial and step in self._means[n]]
        if len(others) < max(1, self._search.startup):
            return False
        own, median = self._means[trial][step], statistics.median(others)
        return own < median if self._plan.higher_is_better else own > median

    def tell(self, trial: int, state: scores.TrialState, value: float | None) -> None:
        """Say how a trial ended; a complete one has a finite value, the others have none."""
        with storage_faults(self._path):
            self._study.tell(self._numbers[trial], value, _STATES[state], skip_if_finished=True)
        if state == "complete":
            self._complete.add(trial)

    def _samplers(self, number: int) -> Iterator[BaseSampler]:
        """Yield a fresh sampler for each time that trial `number` is asked: a long-lived one cannot be resumed."""
        if self._search.sampler == "tpe":
            for ask in range(TPE_ASKS):
                yield _tpe(self._search.startup, hash_words(self._plan.id, "tpe", number, ask))
        if self._search.sampler != "grid":
            for ask in range(RANDOM_ASKS):
                yield RandomSampler(seed=hash_words(self._plan.id, "random", number, ask))
        if count_candidates(self._space) == float("inf"):
            return
        for point in walk_points(self._space, hash_words(self._plan.id, "points")):
            if build_candidate(self._space, point).digest() not in self._seen:
                yield _Given(point)


def weigh_values(study: Study, trials: Sequence[TrialRecord]) -> tuple[tuple[str, float], ...]:
    """Return the share of each searched value in what tells the best complete trials from all, the largest first.

    PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023; conditional values: KDD 2026): the variance of the density ratio
    of best to all, a value at a time. The best are a tenth, five at least and half at most: Optuna asks for five.
    Empty where it tells nothing, as when all trials tie.
    """
    from optuna.importance import PedAnovaImportanceEvaluator  # imports sklearn: only who weighs should pay

    weighed = optuna.create_study(direction="maximize" if study.higher_is_better else "minimize")
    weighed.add_trials([_as_optuna(study, record) for record in trials])
    names = {name for trial in weighed.get_trials(deepcopy=False) for name in trial.params}
    best = min(0.5, max(0.1, BEST_TRIALS / len(trials)))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best, region_quantile=1.0, evaluate_on_local=True)
    with warnings.catch_warnings():
        # It warns of ties, and of a conditional value that one trial has: both are in the result.
        warnings.simplefilter("ignore", UserWarning)
        found = evaluator.evaluate(weighed, params=sorted(names))
    total = math.fsum(found.values())
    if not total > 0:
        return ()
    shares = ((name, weight / total) for name, weight in found.items())
    return tuple(sorted(shares, key=lambda share: (-share[1], share[0])))


class _Given(BaseSampler):
    """Proposes one point."""

    def __init__(self, point: Mapping[str, Scalar]) -> None:
        self._point = point

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Scalar:
        return self._point[param_name]


def _tpe(startup: int, seed: int) -> TPESampler:
    """Return Optuna's TPE with every argument given: its defaults change between versions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `group` is experimental
        return TPESampler(
            n_startup_trials=startup,
            n_ei_candidates=24,
            seed=seed,
            multivariate=True,
            group=True,  # conditional values, such as backbone_lr, are modelled with those they come with
            constant_liar=True,  # candidates under way count as bad: neighbours are not asked at the same time
        )


def _suggest(trial: optuna.Trial, space: Space) -> dict[str, Scalar]:
    values = dict(space.values)
    drawn: dict[str, Scalar] = {}
    for name, distribution in _distributions(space).items():
        depth = drawn.get("freeze_depth", values["freeze_depth"])
        if is_drawn(space, name, depth):  # type: ignore[arg-type]  # a scalar: it is fixed, or drawn before
            drawn[name] = _draw(trial, name, distribution)
    return drawn


def _draw(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Scalar:
    if isinstance(distribution, CategoricalDistribution):
        choice = trial.suggest_categorical(name, distribution.choices)
        assert choice is not None
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return float(trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log))


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    found: dict[str, BaseDistribution] = {}
    for name, value in space.values:
        if isinstance(value, Choice):
            found[name] = CategoricalDistribution(value.options)
        if isinstance(value, Span) and value.scale == "int":
            found[name] = IntDistribution(int(value.low), int(value.high))
        if isinstance(value, Span) and value.scale != "int":
            found[name] = FloatDistribution(float(value.low), float(value.high), log=value.scale == "log")
    return found


def _as_optuna(study: Study, record: TrialRecord) -> FrozenTrial:
    """Return what Optuna should know of a trial: only finite numbers, values of complete and pruned trials."""
    assert study.space is not None
    assert record.candidate is not None
    params = drawn_values(study.space, record.candidate)
    distributions = _distributions(study.space)
    folds = record.search_folds(study.repeats)
    means = running_means(folds, study.folds)
    value = mean_score(folds) if record.state == "complete" else None
    if record.state == "pruned":
        value = means[max(means)] if means else None  # what Optuna itself gives a trial that is told PRUNED
    return create_trial(
        state=_STATES[record.state],
        value=value,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs={"trial": record.trial},
        intermediate_values=means,
    )


def _numbered(study: optuna.Study) -> dict[int, FrozenTrial]:
    return {
        trial.user_attrs["trial"]: trial
        for trial in study.get_trials(deepcopy=False)
        if "trial" in trial.user_attrs
    }


def _agree(study: optuna.Study, wanted: Mapping[int, FrozenTrial]) -> bool:
    """Tell whether a journal says what the ledger says; repeated candidates, which were told FAIL, do not count."""
    numbered = _numbered(study)
    if {number: _content(trial) for number, trial in numbered.items()} != {
        number: _content(trial) for number, trial in wanted.items()
    }:
        return False
    others = [trial for trial in study.get_trials(deepcopy=False) if "trial" not in trial.user_attrs]
    return all(trial.state == TrialState.FAIL for trial in others)


def _content(trial: FrozenTrial) -> tuple[object, ...]:
    return (trial.state, trial.values, trial.params, trial.distributions, trial.intermediate_values)


def _load(path: Path, name: str) -> JournalStorage | None:
    """Return the journal at `path`, without the torn last line that a kill leaves; None where it cannot be read."""
    if not path.exists():
        return None
    with storage_faults(path):
        try:
            storage = JournalStorage(Journal.open(path))  # type: ignore[arg-type]  # by its two methods
            storage.get_study_id_from_name(name)
        except _UNREADABLE:
            return None
    return storage


def _journal_of(study: Study, trials: Iterable[FrozenTrial]) -> bytes:
    journal = Journal()
    rebuilt = optuna.create_study(
        storage=JournalStorage(journal),  # type: ignore[arg-type]  # by its two methods
        study_name=study.id,
        direction="maximize" if study.higher_is_better else "minimize",
    )
    for name in ("task", "backbone", "arm"):
        rebuilt.set_user_attr(name, getattr(study, name))
    for trial in trials:
        rebuilt.add_trial(trial)
    return journal.as_bytes()
