"""The verbs on suites and runs: validate, plan, run, rank, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.app import (
    AllowPath,
    AllowRead,
    Json,
    NoColor,
    Offline,
    Overrides,
    Plugins,
    Results,
    RunName,
    SkipMissing,
    SpecFile,
    answer,
    app,
    know_plugins,
    open_screen,
    read_spec,
)

if TYPE_CHECKING:
    from harness.report.console import Terminal
    from harness.suite import Run

Workers = Annotated[
    int | None,
    typer.Option("--workers", envvar="HARNESS_WORKERS", min=1, help="Folds at once; 1 needs no Ray."),
]
Detach = Annotated[
    bool,
    typer.Option(
        "--detach", envvar="HARNESS_DETACH", help="Start it, and go: it runs on when the terminal closes."
    ),
]
NotifyCommand = Annotated[
    str,
    typer.Option(
        "--notify-cmd",
        envvar="HARNESS_NOTIFY_CMD",
        metavar="CMD",
        help="Run this at the end and on trouble, with the facts in HARNESS_* variables and on its stdin.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="HARNESS_QUIET", help="No progress.")]


@app.command()
def validate(
    spec_file: SpecFile,
    overrides: Overrides = None,
    allow_path: AllowPath = None,
    plugins: Plugins = None,
    json: Json = False,
) -> int:
    """Check a spec: all of its faults at once, each with its line; reads no data and loads no model."""
    spec = read_spec(spec_file, overrides, allow_path, plugins)
    counts = {"tasks": len(spec.tasks), "backbones": len(spec.backbones), "arms": len(spec.arms)}
    if json:
        answer({"valid": True, "suite": spec.name} | counts)
        return 0
    parts = ", ".join(f"{count} {name if count > 1 else name[:-1]}" for name, count in counts.items())
    typer.echo(f"{spec_file}: {parts}; no faults")
    return 0


@app.command()
def plan(
    spec_file: SpecFile,
    overrides: Overrides = None,
    results: Results = Path("results"),
    discordance: Annotated[
        float,
        typer.Option(
            "--discordance",
            min=0.001,
            max=1.0,
            help="The share of examples that two arms decide differently, where no earlier run tells.",
        ),
    ] = 0.10,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0.0, help="Say what is done in so many hours, not in the spec's budget."),
    ] = None,
    timing: Annotated[
        bool,
        typer.Option("--timing/--no-timing", help="Time one fit of each task that was not timed before."),
    ] = True,
    offline: Offline = False,
    allow_path: AllowPath = None,
    plugins: Plugins = None,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Show a suite's cells, what of them is done and why others are new, hours, disk, memory, and what can be found.

    Exit code 3 if this machine cannot hold it.
    """
    from harness.cli.prospects import describe_prospect, show_prospect
    from harness.prospect import plan_suite

    spec = read_spec(spec_file, overrides, allow_path, plugins)
    screen = open_screen(no_color=no_color)
    prospect = plan_suite(
        spec,
        base=spec_file.parent,
        results=results,
        offline=offline,
        discordance=discordance,
        time_fits=timing,
        hours=hours,
        progress=screen,
    )
    if json:
        answer(describe_prospect(prospect))
    else:
        screen.print(show_prospect(prospect, screen.width))
    return 3 if prospect.room.refusals else 0


@app.command()
def run(
    context: typer.Context,
    spec_file: SpecFile,
    overrides: Overrides = None,
    results: Results = Path("results"),
    workers: Workers = None,
    reopen_test: Annotated[
        bool,
        typer.Option("--reopen-test", help="Score winners that later trials made on what is locked away."),
    ] = False,
    detach: Detach = False,
    notify_cmd: NotifyCommand = "",
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Join a Ray cluster (compute.address) that lets anybody in."),
    ] = False,
    skip_missing: SkipMissing = False,
    offline: Offline = False,
    allow_path: AllowPath = None,
    plugins: Plugins = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Run a suite and print its comparison; the same command resumes what was interrupted, or adds trials."""
    from harness.cli.answers import judge_exit, tell_ending
    from harness.cli.notify import open_notifier, tell_fault
    from harness.cli.progress import Interrupts, watch_run

    given = [*(overrides or ()), *([f"compute.workers={workers}"] if workers else [])]
    spec = read_spec(spec_file, given, allow_path, plugins)
    screen = open_screen(no_color=no_color, quiet=quiet)
    folder = results / spec.name
    notifier = open_notifier(notify_cmd, suite=spec.name, folder=folder, say=screen.say)
    if detach:
        return _detach(context, folder, screen, results, json=json)
    from harness.suite import run_suite

    with (
        tell_fault(notifier),
        Interrupts(screen.say) as interrupts,
        watch_run(screen, interrupts, folder, quiet=quiet, tell_trouble=notifier.tell_trouble) as watch,
    ):
        ended = run_suite(
            spec,
            base=spec_file.parent,
            results=results,
            offline=offline,
            text=spec_file.read_bytes(),
            reopen_test=reopen_test,
            insecure=insecure,
            skip_missing=skip_missing,
            progress=screen,
            stop=interrupts.asked,
            watch=watch,
        )
    code = judge_exit(ended, spec, interrupts)
    _print_run(ended, screen, json=json)
    notifier.tell_end(*tell_ending(ended), code)
    return code


def _detach(context: typer.Context, folder: Path, screen: Terminal, results: Path, *, json: bool) -> int:
    """Let the same command run on in a session of its own, and say where and how it is watched and stopped."""
    from harness.cli.detach import describe_detached, show_detached, start_detached

    detached = start_detached(context.obj, folder)
    if json:
        answer(describe_detached(detached, results))
    else:
        screen.print(show_detached(detached, results))
    return 0


def _print_run(ended: Run, screen: Terminal, *, json: bool) -> None:
    """Print the comparison of a run that ended, and say what was wrong with its ledger."""
    from harness.cli.answers import show_ending
    from harness.report import json as report_json
    from harness.report import terminal

    if json:
        typer.echo(report_json.render(ended.comparison), nl=False)
    else:
        screen.print(terminal.render(ended.comparison, width=screen.width, next_step=show_ending(ended)))
    for sentence in ended.damage:
        screen.say(sentence)


@app.command()
def rank(
    run_name: Annotated[str, typer.Argument(metavar="RUN|SCORES.csv", help="A run, or a table of scores.")],
    results: Results = Path("results"),
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="For a table of errors.")
    ] = False,
    plugins: Plugins = None,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Rank the arms of a run, or the methods of anybody's table: first column the data set, then one a method."""
    from harness.judge.standings import rank_scores
    from harness.record.folders import find_run
    from harness.report import json as report_json
    from harness.report import standings, terminal
    from harness.runs import rank_run

    know_plugins(plugins)
    screen = open_screen(no_color=no_color)
    if run_name.lower().endswith(".csv"):
        ranking = rank_scores(Path(run_name), lower_is_better=lower_is_better)
        text = report_json.render_ranking(ranking) if json else standings.render(ranking, width=screen.width)
    else:
        comparison = rank_run(find_run(run_name, results=results))
        text = report_json.render(comparison) if json else terminal.render(comparison, width=screen.width)
    screen.print(text)
    return 0


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="RUN_A", help="The run that is measured against.")],
    second: Annotated[str, typer.Argument(metavar="RUN_B", help="The run that must not be worse.")],
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, help="How much worse is no matter, in the metric's own unit."),
    ] = 0.01,
    results: Results = Path("results"),
    plugins: Plugins = None,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Compare two runs cell by cell on the examples that they share; exit code 1 if any cell has regressed."""
    from harness.record.folders import find_run
    from harness.report import changes as report_changes
    from harness.runs import compare_runs

    know_plugins(plugins)
    screen = open_screen(no_color=no_color)
    folders = [find_run(name, results=results) for name in (first, second)]
    changes = compare_runs(*folders, tolerance=tolerance)
    if json:
        answer(report_changes.describe(changes))
    else:
        screen.print(report_changes.render(changes, width=screen.width))
    return 1 if changes.regressions else 0


@app.command()
def report(
    run_name: RunName,
    results: Results = Path("results"),
    form: Annotated[
        Literal["terminal", "markdown", "csv", "json", "latex", "html", "pdf", "png", "svg"],
        typer.Option("--format", help="What to print; pdf, png and svg write figures, and print where."),
    ] = "terminal",
    plugins: Plugins = None,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Write a run's tables again from its ledger, and print one of them, or write figures for a paper."""
    from harness.record.folders import find_run
    from harness.report import terminal
    from harness.report.figures import write_figures
    from harness.report.write import FILES
    from harness.runs import report_run

    know_plugins(plugins)
    screen = open_screen(no_color=no_color)
    folder = find_run(run_name, results=results)
    comparison = report_run(folder)
    if form in ("pdf", "png", "svg"):
        paths = [str(path) for path in write_figures(folder, comparison, form)]
        if json:
            answer({"figures": paths})
        else:
            typer.echo("\n".join(paths))
        return 0
    form = "json" if json else form
    if form == "terminal":
        screen.print(terminal.render(comparison, width=screen.width))
    else:
        typer.echo((folder / FILES[form]).read_text(encoding="utf-8"), nl=False)
    return 0


@app.command()
def export(
    run_name: RunName,
    task: Annotated[str, typer.Option("--task", help="The task whose winner is exported.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to write; it must not hold anything.")
    ],
    arm: Annotated[
        str | None, typer.Option("--arm", help="Export this arm's best candidate instead.")
    ] = None,
    results: Results = Path("results"),
    offline: Offline = False,
    allow_path: AllowRead = None,
    plugins: Plugins = None,
    json: Json = False,
) -> int:
    """Refit a task's winner on all rows and write a folder that transformers.pipeline loads."""
    from harness.cli.answers import describe_export, show_export
    from harness.record.folders import find_run
    from harness.runs import export_model

    know_plugins(plugins)
    exported = export_model(
        find_run(run_name, results=results),
        task=task,
        arm=arm,
        out=out,
        allowed=allow_path or (),
        offline=offline,
        progress=open_screen(),
    )
    if json:
        answer(describe_export(exported))
    else:
        typer.echo(show_export(exported))
    return 0
