"""Tasks: what a comparison must know of each, and how it is scored."""

from __future__ import annotations

import math

from harness import plugins
from harness.judge.comparison import ComparedTask, FurtherMetric
from harness.judge.evidence import Measure
from harness.judge.leak import name_substance
from harness.judge.memory import name_metric
from harness.plan import Plan, count_folds_of, protocol_of
from harness.spec.models import Spec


def find_measure(plan: Plan, spec: Spec, name: str) -> Measure | None:
    """Return how a task is scored, None where this process does not know the run's plug-ins."""
    (metric, *others), kind = plan.survey.tasks[name].metrics, spec.tasks[name].type
    if metric not in plugins.names("metrics") or kind not in plugins.names("tasks"):
        return None
    target = plugins.find("targets", plugins.find("tasks", kind).TARGET)
    module = plugins.find("metrics", metric)
    known = [other for other in others if other in plugins.names("metrics")]
    return Measure(
        score=module.score,
        target=target,
        rough=getattr(module, "score_bags", None),  # a plug-in need not know how
        name=name_metric(metric, module),
        further=tuple((other, plugins.find("metrics", other).score) for other in known),
    )


def describe_task(plan: Plan, spec: Spec, name: str) -> ComparedTask:
    """Return what a reader must know of a task, from its facts and its spec."""
    facts = plan.survey.tasks[name]
    protocol = protocol_of(spec, name)
    known = facts.metric in plugins.names("metrics")  # a report can be written without the run's --plugins
    return ComparedTask(
        name=name,
        type=spec.tasks[name].type,
        modality=facts.modality,
        metric=facts.metric,
        higher_is_better=facts.higher_is_better,
        bounds=plugins.find("metrics", facts.metric).BOUNDS if known else (-math.inf, math.inf),
        folds=count_folds_of(spec, plan.survey, name) if protocol.nested is None else protocol.nested.outer,
        scheme=protocol.scheme,
        part_ratio=facts.part_ratio,
        examples=facts.examples,
        groups=facts.groups,
        substance=name_substance(facts, spec.tasks[name], protocol),
        metrics=tuple(
            FurtherMetric(name=other, higher_is_better=found.HIGHER_IS_BETTER, bounds=found.BOUNDS)
            for other in facts.metrics[1:]
            if other in plugins.names("metrics")
            for found in [plugins.find("metrics", other)]
        ),
    )
