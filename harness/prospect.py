"""Prospect: what a suite would take, and what of it a run has already; trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.assets.progress import SILENCE, Progress
from harness.judge.detectable import DISCORDANCE, Detectable, find_detectable
from harness.limits import count_workers
from harness.plan import Plan, expand
from harness.record.counts import count_fits, count_pending
from harness.record.history import History
from harness.record.ledger import read_history
from harness.record.rows import Rows
from harness.reuse import Reuse, find_reuse
from harness.runs import RESULTS
from harness.spec.models import Spec
from harness.supply import open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A plan with what of it is done already: fits by study id."""

    plan: Plan
    known: dict[str, int]
    reuse: Reuse | None  # None: there is no run yet
    workers: int
    detectable: tuple[Detectable, ...]


def plan_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    discordance: float = DISCORDANCE,
    progress: Progress = SILENCE,
) -> Prospect:
    """Return the cells of a suite, which of their fits a run's ledger knows already, and why others are new.

    `discordance` is the share of examples that two arms are assumed to decide differently where no pilot tells.
    `base` is the folder that relative paths of the spec start from. Assets that the spec names are fetched, unless
    `offline`: raises `AssetError`, `DataError` or `ModelError` for what is missing or cannot be used.
    """
    from harness.learn.survey import survey_spec

    rows: dict[str, Rows] = {}
    source = open_source(spec, base=base, offline=offline, progress=progress)
    survey = survey_spec(source, keep=lambda task, examples: rows.update({task: Rows.of(examples)}))
    plan = expand(spec, survey)
    folder = results / spec.name
    history = read_history(folder) if (folder / "ledger.jsonl").exists() else History(trials={})
    pending = sum(count_pending(study, history) for study in plan.studies)
    return Prospect(
        plan=plan,
        known={study.id: count_fits(study, history) for study in plan.studies},
        reuse=find_reuse(folder, plan, history, spec, rows),
        workers=count_workers(spec.compute, pending),
        detectable=find_detectable(plan, history, spec, discordance=discordance),
    )
