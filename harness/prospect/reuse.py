"""Reuse: which cells of a plan a run has already, which are new, and what made them new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.control import make_scratch
from harness.errors import StorageError
from harness.plan import SCHEMA_VERSION, Plan, Study, Survey, describe_arm, expand, protocol_of
from harness.record.history import History
from harness.record.lock import read_lock, read_schema
from harness.record.rows import Rows, compare_rows, read_rows
from harness.spec.models import Spec, spec_model
from harness.spec.options import TaskOptions
from harness.spec.words import show

Cell = tuple[str, str, str]
"""Task, backbone, arm."""
Part = tuple[str, ...]
"""Where in a spec, or in what was surveyed, something stands that an identity depends on."""
# What was surveyed, not written: no key of a spec has a blank.
DATA, WEIGHTS, LABELS, FOLDS = "its data", "its weights", "its labels", "its folds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """What a plan takes over from a run: cells by what becomes of them, and why the new ones are new."""

    reused: tuple[Cell, ...]  # the ledger has fits of them
    waiting: tuple[Cell, ...]  # planned before as they are now, and not begun
    new: tuple[tuple[Cell, tuple[str, ...]], ...]  # with the reasons, one at least
    left: int  # cells of the last plan that the ledger has fits of, and this plan does not ask for

    def reasons(self) -> list[tuple[tuple[str, ...], int]]:
        """Return each list of reasons with the number of cells that it makes new, the most first."""
        return Counter(why for _, why in self.new).most_common()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What the run was planned on."""

    spec: Spec
    survey: Survey
    plan: Plan


def find_reuse(
    folder: Path, plan: Plan, history: History, spec: Spec, rows: Mapping[str, Rows]
) -> Reuse | None:
    """Compare a plan with the run in `folder`, whose ledger says `history`; None where there is no run.

    `rows` are those of today's data, by task.
    """
    if not (folder / "lock.json").exists():
        return None
    past = _read_past(folder)
    known = {record.study for record in history.trials.values() if record.folds}
    planned = {study.id for study in past.plan.studies} if isinstance(past, _Past) else set()
    reused, waiting, new = [], [], []
    for cell, studies in _group(plan).items():
        ids = {study.id for study in studies}
        if ids & known:
            reused.append(cell)
        elif ids <= planned:
            waiting.append(cell)
        else:
            why = (past,) if isinstance(past, str) else _explain(folder, past, spec, plan, studies[0], rows)
            new.append((cell, why))
    now = {study.id for study in plan.studies}
    former = _group(past.plan) if isinstance(past, _Past) else {}
    left = [cell for cell, studies in former.items() if any(s.id in known - now for s in studies)]
    return Reuse(reused=tuple(reused), waiting=tuple(waiting), new=tuple(new), left=len(left))


def _read_past(folder: Path) -> _Past | str:
    """Return what a run was planned on, or in words why this version cannot tell."""
    try:
        schema = read_schema(folder)
        if schema != SCHEMA_VERSION:
            return f"the results are of schema {schema}, and this version writes schema {SCHEMA_VERSION}"
        lock = read_lock(folder)
        spec = spec_model().model_validate_json(lock.spec_json)
    except ValidationError as error:
        return f"the run's own spec cannot be read by this version ({error.errors()[0]['msg']})"
    except StorageError as error:
        return str(error)
    return _Past(spec=spec, survey=lock.survey, plan=expand(spec, lock.survey))


def _group(plan: Plan) -> dict[Cell, list[Study]]:
    """Return the studies of each cell: one, or one for each outer fold of a nested protocol."""
    cells: dict[Cell, list[Study]] = {}
    for study in plan.studies:
        cells.setdefault((study.task, study.backbone, study.arm), []).append(study)
    return cells


def _explain(
    folder: Path, past: _Past, spec: Spec, plan: Plan, study: Study, rows: Mapping[str, Rows]
) -> tuple[str, ...]:
    """Return what differs between the run's spec and data and today's, of all that a cell depends on."""
    absent = _find_absent(past, study)
    if absent:
        return (absent,)
    before = dict(_list_parts(past.spec, past.survey, study))
    now = dict(_list_parts(spec, plan.survey, study))
    differing = [part for part in {**before, **now} if before.get(part) != now.get(part)]
    if any(part[-1] == DATA for part in differing):  # which labels and folds follow from
        differing = [part for part in differing if part[-1] not in (LABELS, FOLDS)]
    elif len(differing) > 1:  # the seed or the protocol deals folds out
        differing = [part for part in differing if part[-1] != FOLDS]

    def tell(part: Part) -> str:
        if part[-1] == DATA:
            return f"{'.'.join(part[:-1])}: {_tell_data(folder, past, study.task, rows)}"
        if part[-1] in (WEIGHTS, LABELS, FOLDS):
            return f"{'.'.join(part[:-1])}: {part[-1]} changed"
        return f"{_name(part, spec)}: {show(before.get(part))} → {show(now.get(part))}"

    told = tuple(tell(part) for part in differing)
    return told or ("another version of the harness named its content otherwise",)


def _find_absent(past: _Past, study: Study) -> str:
    """Return which name of a cell the run's spec did not have, or its survey left out; "" where it had all."""
    spec = past.spec
    arms = spec.arms if study.kind == "arm" else spec.baselines
    names = (("tasks", study.task, spec.tasks), ("backbones", study.backbone, spec.backbones))
    for kind, name, there in names:
        if name not in there:
            return f"{kind}.{name} is new"
        if f"{kind}.{name}" in past.survey.missing:
            return f"{kind}.{name} could not be had before"
    if study.arm not in arms:
        return f"{'arms.' if study.kind == 'arm' else 'baselines: '}{study.arm} is new"
    return ""


def _list_parts(spec: Spec, survey: Survey, study: Study) -> Iterator[tuple[Part, object]]:
    """Yield all that the identity of a cell is made of, each with the place where a person would change it.

    The same as `harness.plan` hashes, by name: what is missing here is told as another version's doing.
    """
    facts, found = survey.tasks[study.task], survey.backbones[study.backbone]
    task, backbone = spec.tasks[study.task], spec.backbones[study.backbone]
    here = ("tasks", study.task)
    yield ("seed",), spec.seed
    yield (*here, DATA), facts.digest
    yield (*here, "metric"), facts.metric
    yield (*here, LABELS), facts.labels
    yield (*here, FOLDS), facts.folds
    own = task.model_dump(mode="json", exclude=set(TaskOptions.model_fields) - {"type"})
    yield from (((*here, key), value) for key, value in own.items())
    yield ("backbones", study.backbone, WEIGHTS), found.digest
    yield ("backbones", study.backbone, "pooling"), backbone.pooling
    yield ("backbones", study.backbone, "stem"), backbone.stem
    protocol = protocol_of(spec, study.task).model_dump(mode="json", exclude={"confirm", "fractions"})
    yield from (((*here, "protocol", key), value) for key, value in protocol.items())
    yield ("compute", "precision"), spec.compute.precision
    yield ("compute", "shelf"), spec.compute.shelf
    if study.kind == "baseline":
        return
    kind = "arms" if study.kind == "arm" else "baselines"
    arm = spec.arms[study.arm] if study.kind == "arm" else make_scratch(spec.arms, found.blocks)
    yield from (((kind, study.arm, key), value) for key, value in describe_arm(arm).items())
    yield from ((("search", key), value) for key, value in spec.search.model_dump(exclude={"trials"}).items())


def _name(part: Part, spec: Spec) -> str:
    """Return a part as a person finds it in today's spec: a task's protocol is the suite's unless it gives the key."""
    if part[0] == "tasks" and part[2] == "protocol":
        own = spec.tasks[part[1]].protocol
        if own is None or part[3] not in own.model_fields_set:
            return ".".join(part[2:])
    return ".".join(part)


def _tell_data(folder: Path, past: _Past, task: str, rows: Mapping[str, Rows]) -> str:
    """Return what became of a task's rows, as far as the run kept them."""
    before = read_rows(folder, past.survey.tasks[task].digest)
    if before is None:
        return "data changed (the run kept no rows to compare with)"
    return f"data changed: {compare_rows(before, rows[task])}"
