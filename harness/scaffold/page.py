"""The spec that is written: a page of YAML that explains itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from harness.examples import Modality
from harness.scaffold.sources import SEED, SMALL, Found
from harness.spec.words import escape, show

BACKBONES: dict[Modality, tuple[str, str, str]] = {
    "text": ("minilm", "asset:minilm-l6", "6 blocks, 22.6 M parameters"),
    "image": ("efficientnet", "asset:efficientnet-lite0", "16 blocks, 4.65 M parameters"),
    "audio": ("whisper", "asset:whisper-tiny.en", "the encoder: 4 blocks, 8.2 M parameters; best on speech"),
}
UNEVEN = 2  # the most frequent class has this many times its even share: accuracy would flatter
SHOWN = 5  # labels named in a comment
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the page is called and where things lie, seen from its folder."""

    file: str
    suite: str
    data: str
    outside: Path | None  # the folder that --allow-path has to name


def write_page(found: Found, names: Names, schema: str) -> str:
    """Return the YAML of a spec that runs as it is."""
    backbone, model, size = BACKBONES[found.modality]
    lines = [
        f"# yaml-language-server: $schema={schema}",
        *_introduce(names),
        "version: 1",
        f"name: {names.suite}",
        f"description: {_quote(_describe(found, names, backbone))}",
        f"seed: {SEED}  # every random choice follows from it",
        "tasks:",
        f"  {names.suite}:",
        f"    type: {found.type}",
        *_type_notes(found),
        "    data:",
        *(f"      {line}" for line in _data(found, names)),
        f"    metric: {_metric(found)}",
        *_task_keys(found),
        "backbones:",
        f'  {backbone}: {{model: "{model}"}}  # {size}',
        "  # another: {model: a hub id, or the path of a save_pretrained folder}",
        *_arms(),
        _baselines(found),
        *_protocol(found),
    ]
    return "\n".join(lines) + "\n"


def slug(text: str) -> str:
    """Return a name for a suite: small letters, digits, '.', '_' and '-'."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64] or "suite"


def _introduce(names: Names) -> Iterator[str]:
    allow = f" --allow-path {escape(quote(str(names.outside)))}" if names.outside else ""
    file = escape(quote(names.file))
    yield "# Does fine-tuning a small pretrained model pay on these data, and frozen how deep? It runs as it is:"
    yield f"#   harness validate {file}{allow}   checks this file"
    yield f"#   harness plan {file}{allow}       shows what would be trained"
    yield f"#   harness run {file}{allow}        trains and compares; the same command resumes"
    if names.outside:
        yield "# The data lie outside this file's folder; a spec may read there only with --allow-path."


def _describe(found: Found, names: Names, backbone: str) -> str:
    what = f"'{found.roles.label}' in {names.data}" if found.roles else f"the classes of {names.data}"
    return f"How deep to freeze {backbone} for {what}."


def _type_notes(found: Found) -> Iterator[str]:
    if found.type == "text-regression":
        yield "    # the label holds many different numbers; for classes write text-classification, metric: accuracy"


def _data(found: Found, names: Names) -> Iterator[str]:
    """Yield the lines of a task's data."""
    yield f"{found.reader}: {_quote(names.data)}  # relative to this file"
    roles = found.roles
    if roles is None:
        yield f"# each class is a folder: {_list_labels(found)}"
    else:
        if roles.text is not None:
            pair = isinstance(roles.text, tuple)
            yield f"text: {'[' + ', '.join(map(_quote, roles.text)) + ']' if pair else _quote(str(roles.text))}"
        yield f"label: {_quote(roles.label)}  # {_list_labels(found)}"
        if roles.id is not None:
            yield f"id: {_quote(roles.id)}  # names each example; without it an example is named by its content"
        yield from _group(found)
    if found.dropped is not None:
        yield f"on_bad: drop  # {escape(found.dropped)}"
    elif found.modality != "text":
        yield "# on_bad: drop  # leaves out files that cannot be decoded, and counts them, instead of stopping"
    if found.take is not None:
        yield f"take: {found.take}  # of {len(found.examples)}, for a first answer; delete the line to use all"


def _group(found: Found) -> Iterator[str]:
    assert found.roles is not None
    if found.roles.group is not None:
        yield f"group: {_quote(found.roles.group)}  # comes again in many rows: never split between folds"
        return
    if found.roles.suspect is None:
        yield "# group: a column of authors, speakers or documents, if rows belong together: never split between folds"
        return
    yield f"# group: {_quote(found.roles.suspect)}  # comes again in many rows. If these belong together (an author,"
    yield "#   a speaker), use it: else a model is praised for knowing the author"


def _task_keys(found: Found) -> Iterator[str]:
    if found.type == "text-regression":
        yield "    metrics: [spearman, rmse]  # recorded too"
    if found.modality == "text":
        yield "    max_tokens: 128  # longer texts are cut; the checkpoint's own limit is higher, and slower"
    if found.modality == "image":
        yield "    image_size: 128  # the checkpoint's own is 224: three times slower, often better"
    if found.modality == "audio":
        yield f"    clip_seconds: {found.clip_seconds}  # nearly all clips are this long at most; longer ones are cut"


def _arms() -> Iterator[str]:
    rates = [
        "head_lr: {log: [1e-3, 1e-2]}",
        "backbone_lr: {log: [2e-5, 5e-4]}",
        "weight_decay: {log: [1e-4, 1e-1]}",
    ]
    yield "arms:  # what is compared; a value is fixed, or searched: {log: [low, high]}, {int: ...}, {choice: ...}"
    yield "  head-only: {freeze_depth: all, epochs: 3, head_lr: {log: [1e-3, 1e-1]}, weight_decay: {log: [1e-4, 1e-1]}}"
    yield "  depth:  # how many blocks are frozen is searched too"
    yield from (f"    {line}" for line in ("freeze_depth: {int: [0, all]}", "epochs: 3", *rates))
    yield "  full:  # everything is trained"
    yield from (f"    {line}" for line in ("freeze_depth: 0", "epochs: 3", *rates))


def _baselines(found: Found) -> str:
    if found.classes:
        return "baselines: [majority, classical, generic, probe]  # what fine-tuning has to beat"
    return "baselines: [classical, generic, probe]  # to be beaten; majority is a constant, which has no correlation"


def _protocol(found: Found) -> Iterator[str]:
    few = len(found.examples) <= SMALL
    why = "5 give steadier scores, and take longer" if found.folds < 5 else "each example is held out once"
    yield f"protocol: {{folds: {found.folds}}}  # {why}"
    yield "#   {..., confirm: {top: 3, repeats: 2}} fits the best three of each arm again before one of them wins;"
    yield "#   {..., test: 0.2} locks a fifth away, on which each winner is scored once"
    trials = 10 if few else 6
    yield f"search: {{trials: {trials}}}  # candidates for each arm; raise it and run again: only new ones are trained"
    yield '# budget: {hours: 8}  # or {finish_by: "07:00"}: what is finished by then is compared'


def _metric(found: Found) -> str:
    if not found.classes:
        return "pearson  # correlation: does the order and the spacing fit?"
    counts = Counter(map(str, found.examples.targets))
    if counts.most_common(1)[0][1] * len(counts) > UNEVEN * len(found.examples):
        return "macro-f1  # classes are uneven: accuracy would praise guessing the largest"
    return "accuracy"


def _list_labels(found: Found) -> str:
    targets = found.examples.targets
    if not found.classes:
        numbers = [float(target) for target in targets]
        return f"numbers from {min(numbers):g} to {max(numbers):g} in {len(numbers)} rows"
    counts = Counter(map(str, targets))
    named = ", ".join(f"{show(label)} {count}" for label, count in counts.most_common(SHOWN))
    return f"{len(counts)} classes: {named}{', ...' if len(counts) > SHOWN else ''}"


def _quote(text: str) -> str:
    """Return a text as YAML reads it back, whatever letters it holds."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    # YAML knows no surrogate pairs: every letter that needs an escape gets its own eight digits
    inside = "".join(
        char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text
    )
    return f'"{inside}"'
