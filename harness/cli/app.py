"""The application that the verbs belong to, and the flags that they share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import plugins
from harness.credentials import redact

if TYPE_CHECKING:
    from harness.report.console import Terminal
    from harness.spec.models import Spec

app = typer.Typer(
    name="harness",
    help="Which backbone, frozen how deep, tuned how, generalizes best - and is that difference real?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="The suite's YAML file.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name under --results, or its folder.")]
Json = Annotated[
    bool,
    typer.Option("--json", envvar="HARNESS_JSON", help="Answer with exactly one JSON document on stdout."),
]
Results = Annotated[
    Path, typer.Option("--results", envvar="HARNESS_RESULTS", metavar="DIR", help="Where runs lie.")
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", envvar="HARNESS_OFFLINE", help="Reach no network: what is missing is an error."
    ),
]
SkipMissing = Annotated[
    bool,
    typer.Option(
        "--skip-missing", help="Leave out tasks and backbones that cannot be had, and run the others."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a value of the spec, e.g. --set search.trials=4."
    ),
]
AllowPath = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-path", metavar="DIR", help="Let the spec read files below DIR, outside its own folder."
    ),
]
AllowRead = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-path",
        metavar="DIR",
        help="Let the run read data and checkpoints below DIR, outside the working directory.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugins", metavar="DIR", help="Find readers, tasks, targets, metrics and methods in DIR too."
    ),
]
NoColor = Annotated[bool, typer.Option("--no-color", envvar="HARNESS_NO_COLOR", help="Plain text.")]


def know_plugins(folders: list[Path] | None) -> None:
    """Make the plug-ins of a verb's flags known to this process, before a spec or a run is read."""
    for folder in folders or ():
        plugins.add_folder(folder)


def read_spec(
    path: Path, overrides: list[str] | None, allowed: list[Path] | None, plugin_folders: list[Path] | None
) -> Spec:
    """Return the spec of a verb's flags; plug-in folders are known before it is read."""
    from harness.assets.store import list_assets
    from harness.spec.load import load_spec

    know_plugins(plugin_folders)
    checkpoints = [asset.name for asset in list_assets() if asset.kind == "model"]
    return load_spec(path, overrides=overrides or (), allowed=allowed or (), checkpoints=checkpoints)


def open_screen(*, no_color: bool = False, quiet: bool = False) -> Terminal:
    """Return the terminal: data go to stdout, all else to stderr, with bars unless `quiet`."""
    from harness.report.console import open_terminal

    return open_terminal(color=not no_color, bars=not quiet)


def answer(document: dict[str, object]) -> None:
    """Write a verb's one JSON document to stdout."""
    text = json.dumps({"schema_version": 1} | document, indent=1, ensure_ascii=False)
    sys.stdout.write(redact(text) + "\n")
