"""What verbs answer, as text for a person and as a document for a program."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.report.layout import lay_out, shorten, wrap
from harness.report.numbers import count_noun, show_bytes

if TYPE_CHECKING:
    from harness.assets.lock import Asset
    from harness.clean import Cleaning
    from harness.cli.notify import Occasion
    from harness.cli.progress import Interrupts
    from harness.deploy.export import Exported
    from harness.doctor import Finding as Health
    from harness.judge.comparison import Cell
    from harness.model.layers import Layers
    from harness.selfcheck import Finding
    from harness.spec.models import Spec
    from harness.suite import Run

LICENCE_COLUMN = 51  # where it begins in the list of assets
ENDINGS: dict[str, tuple[Occasion, str]] = {
    "complete": ("finished", "is finished"),
    "deadline": ("budget", "has ended with its budget"),
    "stopped": ("stopped", "was stopped"),
}
COMPLETE, SOME_FAILED, BUDGET_ENDED, INTERRUPTED = 0, 1, 5, 130


def judge_exit(ended: Run, spec: Spec, interrupts: Interrupts) -> int:
    """Return the exit code of a run that ended without an error."""
    if interrupts.asked() and ended.outcome.ended != "complete":
        return INTERRUPTED
    if ended.outcome.ended == "deadline":
        wanted = Counter[tuple[str, str, str]]()
        for study in ended.plan.studies:
            wanted[study.task, study.backbone, study.arm] += min(spec.budget.minimum_trials, study.trials)
        if any(
            cell.trials.ok < wanted[cell.task, cell.backbone, cell.arm] for cell in ended.comparison.cells
        ):
            return BUDGET_ENDED
        # Outer folds are scored when the searches have ended: their arms have not failed.
        nested = {study.task for study in ended.plan.studies if study.outer_fold is not None}
        if any(cell.score is None and cell.task in nested for cell in ended.comparison.cells):
            return BUDGET_ENDED
    if ended.plan.survey.missing:
        return SOME_FAILED
    return SOME_FAILED if any(_is_failed(cell) for cell in ended.comparison.cells) else COMPLETE


def _is_failed(cell: Cell) -> bool:
    """Say whether a cell lacks its score because something failed; a baseline's metric may just be undefined."""
    return cell.score is None and (cell.kind != "baseline" or cell.trials.ok == 0)


def show_ending(ended: Run) -> str:
    """Return where the results lie and what can be done next."""
    state = {
        "complete": "add trials: raise search.trials and run the same command",
        "deadline": f"the budget ended: {ended.outcome.why}",
        "stopped": "stopped: the same command goes on",
    }[ended.outcome.ended]
    return f"{ended.folder}/report.html · {state}"


def tell_ending(ended: Run) -> tuple[Occasion, str]:
    """Return how a run ended: the occasion of a message to somebody elsewhere, and the message."""
    trials = [cell.trials for cell in ended.comparison.cells]
    counts = (
        f"{sum(each.ok for each in trials):,} trials complete, {sum(each.pruned for each in trials):,} pruned, "
        f"{sum(each.failed for each in trials):,} failed"
    )
    occasion, state = ENDINGS[ended.outcome.ended]
    why = f" ({ended.outcome.why})" if ended.outcome.why else ""
    return occasion, f"{ended.comparison.suite} {state}{why}: {counts}. {ended.folder / 'report.html'}"


def describe_export(exported: Exported) -> dict[str, object]:
    """Return an export as a document."""
    winner = exported.winner
    return {
        "folder": str(exported.folder),
        "task": winner.task,
        "backbone": winner.backbone,
        "arm": winner.arm,
        "candidate": asdict(winner.candidate),
        "epochs": winner.epochs,
        "rows": exported.rows,
        "proven_rows": exported.proven,
        "largest_difference": exported.difference,
        "use": exported.use,
    }


def show_export(exported: Exported) -> str:
    """Return what was exported and how it was proven."""
    winner = exported.winner
    candidate = winner.candidate
    backbone_lr = "" if candidate.backbone_lr is None else f", backbone lr {candidate.backbone_lr:.2g}"
    return "\n".join(
        (
            f"winner: {winner.arm} on {winner.backbone}, {candidate.freeze_depth} blocks frozen, "
            f"head lr {candidate.head_lr:.2g}{backbone_lr}",
            f"refit on all {exported.rows} rows, {winner.epochs} epochs (median over folds)",
            f"the pipeline predicts what the harness predicts on {exported.proven} rows "
            f"(largest difference {exported.difference:.1e})",
            *([exported.use] if exported.use else []),
            f"{exported.folder}",
        )
    )


def describe_layers(layers: Layers) -> dict[str, object]:
    """Return a model's parts as a document."""
    return asdict(layers)


def show_layers(layers: Layers) -> str:
    """Return a model's parts as a table."""
    rows = [("part", "parameters", "frozen from depth")]
    rows += [
        (part.name, f"{part.parameters:,}", "never" if part.frozen_from is None else str(part.frozen_from))
        for part in layers.parts
    ]
    return "\n".join([f" {layers.architecture} · {layers.blocks} blocks in {layers.path}", *lay_out(rows)])


def describe_asset(asset: Asset) -> dict[str, object]:
    """Return an asset as a document."""
    from harness.assets.store import asset_folder

    folder = asset_folder(asset.name)
    return {
        "name": asset.name,
        "kind": asset.kind,
        "modality": asset.modality,
        "description": asset.description,
        "licence": asset.licence,
        "upstream": asset.upstream,
        "synthetic": asset.synthetic,
        "download_bytes": asset.download_bytes,
        "folder": None if folder is None else str(folder),
    }


def show_assets(assets: Sequence[Asset], width: int) -> str:
    """Return the assets as a table."""
    from harness.assets.store import asset_folder

    rows = [("asset", "kind", "modality", "MB", "here", "licence")]
    rows += [
        (
            asset.name,
            asset.kind,
            asset.modality,
            f"{asset.download_bytes / 1e6:.1f}",
            "yes" if asset_folder(asset.name) else "no",
            shorten(asset.licence, max(12, width - LICENCE_COLUMN)),
        )
        for asset in assets
    ]
    return "\n".join(lay_out(rows))


def describe_finding(finding: Finding) -> dict[str, object]:
    """Return a figure of the self-check as a document; one that is no number is null."""
    figure = finding.figure if math.isfinite(finding.figure) else None
    return asdict(finding) | {"figure": figure, "ok": finding.ok}


def show_finding(finding: Finding, width: int) -> str:
    """Return a figure of the self-check with its band in one line, or in some where the terminal is narrow."""
    verdict = "ok" if finding.ok else "FAILED"
    band = f"{finding.figure:.3g} in [{finding.low:g}, {finding.high:g}]"
    return "\n".join(wrap(f"{verdict} {finding.check}: {finding.what}: {band}", width))


def describe_health(findings: Sequence[Health]) -> dict[str, object]:
    """Return what was found of a machine as a document."""
    ok = all(finding.state != "fail" for finding in findings)
    return {"ok": ok, "findings": [asdict(finding) for finding in findings]}


def show_health(finding: Health, width: int) -> str:
    """Return a finding in one line, with what to do below it."""
    told = f"{finding.state:4} {finding.check}: {finding.says}"
    remedy = f"   → {finding.remedy}" if finding.remedy else ""
    return "\n".join([*wrap(told, width), *([remedy] if remedy else [])])


def sum_health(findings: Sequence[Health]) -> str:
    """Return the last line: how many findings there are of each kind."""
    counts = Counter(finding.state for finding in findings)
    warnings = count_noun(counts["warn"], "warning")
    return f" {counts['ok']} ok, {warnings}, {count_noun(counts['fail'], 'failure')}"


def describe_cleaning(cleaning: Cleaning) -> dict[str, object]:
    """Return what was freed, or would be, as a document."""
    return {
        "done": cleaning.done,
        "shelf": None if cleaning.shelf is None else asdict(cleaning.shelf),
        "runs": [
            {"run": str(each.run), "files": [str(file) for file in each.files], "bytes": each.bytes}
            for each in cleaning.runs
        ],
    }


def show_cleaning(cleaning: Cleaning) -> str:
    """Return a line for the shelf and one for each run: what was freed, or what a command would free."""
    lines = []
    if cleaning.shelf is not None:
        used = f"; {show_bytes(cleaning.shelf.used_bytes)} are in use" if cleaning.shelf.used_bytes else ""
        told = f"shelf: {show_bytes(cleaning.shelf.free_bytes)}"
        lines.append(f" {told} freed{used}" if cleaning.done else f" {told} (harness clean --shelf){used}")
    for each in cleaning.runs:
        told = (
            f"{each.run}: {count_noun(len(each.files), 'file')} that nothing names, {show_bytes(each.bytes)}"
        )
        lines.append(f" {told} freed" if cleaning.done else f" {told} (harness clean {each.run.name})")
    return "\n".join(lines)
