"""A checkpoint folder: whether it is safe to load, and the digest that names it.

Nothing here imports torch or runs anything from the folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import cast

from harness.errors import ModelError

_CONFIG = "config.json"
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_CONFIG_BYTES = 16 * 2**20
_TOKENIZER_BYTES = 256 * 2**20  # of one file; the largest vocabularies, of 262,144 words, take 33 MB

#: What makes a model what it is: its configuration, weights, tokenizer and processor.
_PARTS = (
    _CONFIG,
    _INDEX,
    "*.safetensors",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*.json",
    "vocab*.txt",
    "merges.txt",
    "normalizer.json",
    "bpe.codes",
    "*.model",  # SentencePiece
    "*.spm",  # the same, for the two languages of a Marian
    "*processor_config.json",
)

_TOKENIZER = ("tokenizer*.json", "vocab*.json", "vocab*.txt", "bpe.codes", "*.model", "*.spm")

#: Keys that name code in the folder or in a repository.
_CODE = ("auto_map", "custom_pipelines")

#: Attention that transformers has itself; any other is a package, or a repository it would fetch code from.
_ATTENTION = (None, "eager", "sdpa")
_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")

_REPEATED = re.compile(r"layer|depth|block|repeat|stage|expert")
_MOST_REPEATS = 10_000
#: Parts that are built one by one, a thousand a second: there are no more of them than tensors that were stored, but
#: for shared ones, of which no architecture has many.
_COUNTED = re.compile(r"(^|_)(layers?|depths?|blocks|repeats|stages|experts)$")
_SHARED_PARTS = 64
#: A label is an entry of a dict before anything is compared, and a configuration of 16 MiB names no more.
_MOST_LABELS = 1_000_000
#: No size of a tensor is larger than all tensors together; the slack is for rotary positions, which have none.
_SIZED = re.compile(r"size|dim|width|channels|position|features|heads|d_model|d_ff|d_kv|n_embd|n_inner|n_ctx")
_SLACK_SIZE = 20_000_000

#: What a processor's settings may ask for: beyond, a picture or a clip of nothing would fill the memory.
_PROCESSOR_LIMITS = (
    (re.compile(r"size|height|width|edge|crop|mel_bins|n_mels"), 4_096),
    (re.compile(r"n_fft|fft_length|frame_length|hop_length"), 65_536),
    (re.compile(r"chunk_length|seconds|duration"), 600),
    (re.compile(r"sampling_rate|max_frames|max_length|frequency"), 1_000_000),
    (re.compile(r"n_samples"), 60_000_000),
)


def check_checkpoint(folder: Path) -> None:
    """Refuse what cannot be loaded safely, before anything is loaded.

    Raises `ModelError` for a missing or unreadable configuration, code of its own (`auto_map`), weights that
    are missing, pickled, truncated or outside the folder, adapters and quantized weights, links that lead out,
    settings of a processor or a tokenizer's files that no model has.
    """
    _check_inside(folder)
    _check_config(folder, read_config(folder))
    _check_processors(folder)
    _check_tokenizer(folder)
    for file in list_weights(folder):
        _read_shapes(file)


def read_config(folder: Path) -> dict[str, object]:
    """Return the folder's `config.json`; raises `ModelError` where there is none or it is no JSON object."""
    path = folder / _CONFIG
    if not path.is_file():
        raise ModelError(f"{folder}: holds no {_CONFIG}. A checkpoint is a folder made by `save_pretrained`.")
    return _read_object(path)


def list_parts(folder: Path) -> list[Path]:
    """Return the files that make the model what it is, sorted by name."""
    files = [path for path in folder.iterdir() if any(fnmatch(path.name, part) for part in _PARTS)]
    return sorted(files, key=lambda path: path.name)


def list_weights(folder: Path) -> list[Path]:
    """Return the weight files that will be loaded; raises `ModelError` where they are not all there."""
    if (folder / _SINGLE).exists():
        return [folder / _SINGLE]
    if (folder / _INDEX).exists():
        return [_find_shard(folder, name) for name in _read_index(folder)]
    pickled = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")
    )
    if pickled:
        raise ModelError(
            f"{folder}: holds pickled weights only ('{pickled[0]}'), which can run code when opened. "
            f"Convert them to {_SINGLE} where you trust them, or choose another revision."
        )
    raise ModelError(f"{folder}: holds no weights. Expected {_SINGLE} or {_INDEX}.")


def count_stored(folder: Path) -> int:
    """Return how many numbers the weight files hold, from their headers."""
    return sum(math.prod(shape) for file in list_weights(folder) for shape in _read_shapes(file))


def check_settings(folder: Path) -> None:
    """Refuse a configuration with a number that its weight files cannot bear out, before a model is made of it.

    Raises `ModelError` for more parts than tensors, sizes beyond all that is stored, and a million labels.
    """
    shapes = [shape for file in list_weights(folder) for shape in _read_shapes(file)]
    stored = sum(map(math.prod, shapes))
    for key, value in _walk(read_config(folder)):
        most = _limit_setting(key, tensors=len(shapes), stored=stored)
        if _largest(value) > most:
            raise ModelError(
                f"{folder / _CONFIG}: '{key}' is {_largest(value):g}, but the weight files hold {len(shapes)} "
                f"tensors of {stored:,} numbers in all. One of them is wrong: fetch the folder again, or do not use it."
            )


def _limit_setting(key: str, *, tensors: int, stored: int) -> float:
    if _COUNTED.search(key):
        return max(tensors, _SHARED_PARTS)
    if key == "num_labels":
        return _MOST_LABELS
    return stored + _SLACK_SIZE if _SIZED.search(key) else math.inf


def require_tokenizer(folder: Path) -> None:
    """Raise `ModelError` where a checkpoint of texts has no file of a tokenizer: no fold could read a word."""
    if not any(True for pattern in _TOKENIZER for _ in folder.glob(pattern)):
        raise ModelError(
            f"{folder}: its tokenizer is missing: put the checkpoint's tokenizer files there (tokenizer.json, or the "
            "vocabulary)"
        )


def digest_checkpoint(folder: Path) -> str:
    """Return the SHA-256 over names and bytes of configuration, weights, tokenizer and processor files.

    It depends neither on where the folder lies nor on when it was written, nor on other files in it.
    """
    digest = hashlib.sha256()
    for path in list_parts(folder):
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{inner}\n".encode())
    return digest.hexdigest()


def _check_config(folder: Path, config: dict[str, object]) -> None:
    for path in (
        folder / _CONFIG,
        *folder.glob("*token*_config.json"),
        *folder.glob("*processor_config.json"),
    ):
        asked = [key for key, _ in _walk(_read_object(path)) if key in _CODE]
        if asked:
            raise ModelError(
                f"{path}: asks for Python code of its own ('{asked[0]}'), which is never run. "
                "Choose a checkpoint of an architecture that transformers has itself."
            )
    if not isinstance(config.get("model_type", ""), str):
        raise ModelError(f"{folder / _CONFIG}: 'model_type' is no word. Fetch it again.")
    for key, value in _walk(config):
        if key in _ATTENTION_KEYS and value not in _ATTENTION:
            raise ModelError(
                f"{folder / _CONFIG}: '{key}' is {value!r}. Remove it, or write 'sdpa' or 'eager'."
            )
        if _REPEATED.search(key) and _largest(value) > _MOST_REPEATS:
            raise ModelError(f"{folder / _CONFIG}: '{key}' is {_largest(value):g}, which no model has.")
    if "transformers_weights" in config:
        raise ModelError(
            f"{folder / _CONFIG}: 'transformers_weights' names other weights than {_SINGLE}. Remove it."
        )
    if config.get("quantization_config"):
        raise ModelError(
            f"{folder}: its weights are quantized and cannot be tuned. Choose the full-precision one."
        )
    if (folder / "adapter_config.json").exists():
        raise ModelError(f"{folder}: holds an adapter. Merge it into its base model and save that.")


def _check_processors(folder: Path) -> None:
    for path in sorted(folder.glob("*processor_config.json")):
        for key, value in _walk(_read_object(path)):
            limit = next((most for name, most in _PROCESSOR_LIMITS if name.search(key)), math.inf)
            if _largest(value) > limit:
                raise ModelError(
                    f"{path}: '{key}' is {_largest(value):g}, more than {limit:,}, which no model reads. "
                    "Fetch it again, or do not use this checkpoint."
                )


def _check_tokenizer(folder: Path) -> None:
    weights = ("*.safetensors", _INDEX)
    for path in list_parts(folder):
        if path.stat().st_size > _TOKENIZER_BYTES and not any(fnmatch(path.name, name) for name in weights):
            raise ModelError(
                f"{path}: is larger than {_TOKENIZER_BYTES >> 20} MiB, which no tokenizer is. "
                "Fetch it again, or do not use this checkpoint."
            )
    for path in sorted(folder.glob("*token*_config.json")):
        for key, value in _read_object(path).items():
            # Before transformers 5.23 such a key was followed; many a harmless one names a folder of its author's.
            if key.endswith("_file") and isinstance(value, str) and _leads_out(folder, value):
                raise ModelError(f"{path}: '{key}' names {value!r}, outside the folder. Remove the key.")


def _leads_out(folder: Path, name: str) -> bool:
    """Return whether a name is that of something there, outside the folder."""
    if "\0" in name:
        return False
    path = Path(os.path.realpath(folder / name))
    try:
        path.stat()
    except OSError:  # it is not there, not for us, or longer than any name
        return False
    return not path.is_relative_to(_home(folder))


def _check_inside(folder: Path) -> None:
    """Refuse links out, whatever file they stand for: a template would be copied into what is exported."""
    if not folder.is_dir():
        return
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(_home(folder)):
                raise ModelError(
                    f"{path}: is a link that leads out of its folder, to {target}. Copy the file here."
                )
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise ModelError(f"{path}: is neither a file nor a folder. Fetch the checkpoint again.")


def _home(folder: Path) -> Path:
    """Return what a checkpoint's links may not leave: its folder; in the hub's cache the model's own folder."""
    folder = folder.resolve()
    repository = folder.parent.parent
    cached = folder.parent.name == "snapshots" and repository.name.startswith("models--")
    return repository if cached else folder


def _read_index(folder: Path) -> list[str]:
    path = folder / _INDEX
    weights = _read_object(path).get("weight_map")
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(isinstance(name, str) for name in weights.values())
    ):
        raise ModelError(
            f"{path}: 'weight_map' does not say which file holds which weight. Fetch the folder again."
        )
    return sorted(set(cast("dict[str, str]", weights).values()))


def _find_shard(folder: Path, name: str) -> Path:
    index = folder / _INDEX
    if not name or Path(name).name != name or "\\" in name or name in (".", ".."):
        raise ModelError(
            f"{index}: names '{name}', which lies outside the folder. Do not use this checkpoint."
        )
    if Path(name).suffix != ".safetensors":
        raise ModelError(f"{index}: names '{name}', which is no .safetensors file. Convert the weights.")
    if name not in {
        file.name for file in folder.iterdir() if file.is_file()
    }:  # asked for a long one, a disk raises
        raise ModelError(f"{index}: names '{name}', which is not there. Fetch the folder again.")
    return folder / name


def _read_shapes(file: Path) -> list[list[int]]:
    """Return the shapes of a file's tensors; opening it compares what its header promises with its size."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:  # type: ignore[no-untyped-call,unused-ignore]
            return [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file}: is no whole .safetensors file ({error}). Fetch it again.") from None


def _read_object(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _CONFIG_BYTES:
            raise ModelError(f"{path}: is larger than {_CONFIG_BYTES >> 20} MiB, which no configuration is.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}). Fetch it again.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: is no JSON object. Fetch it again.")
    return value


def _walk(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _walk(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _largest(value: object) -> float:
    """Return the largest number in a value or a list of them; 0 where there is none."""
    values = value if isinstance(value, list) else [value]
    return max((_to_float(v) for v in values if isinstance(v, int | float)), default=0.0)


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # JSON has whole numbers of any length
        return math.inf if number > 0 else -math.inf
