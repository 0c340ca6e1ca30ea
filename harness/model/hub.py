"""A checkpoint named by its hub id: the folder it lies in once fetched."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

from harness.errors import ModelError

#: What a model needs; no pickled weights, no code, no folders of other formats.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.spm", "bpe.codes"]
_UNWANTED = ["*/*"]

_PATIENCE_S = 1.7  # an unreachable hub is told within two seconds


def find_hub_snapshot(model_id: str, *, revision: str | None, offline: bool) -> Path:
    """Return the folder of a hub model's files, fetching what is missing; `revision` None is the main branch.

    HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured. Where the hub cannot be reached, a
    complete copy in its cache is used. The hub is asked once, and not again.

    Raises `ModelError` where there is no such model, or neither hub nor cached copy.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    try:
        if offline or constants.HF_HUB_OFFLINE:
            return _find_cached(model_id, revision) or _refuse(model_id, revision, "the run is offline")
        if silence := _ask(model_id, revision):
            return _find_cached(model_id, revision) or _refuse(model_id, revision, silence)
        return _fetch(model_id, revision)
    except HFValidationError as error:
        raise ModelError(f"'{model_id}' is neither a folder nor a hub id: {error}") from None


def _ask(model_id: str, revision: str | None) -> str:
    """Ask the hub for the model once; return why it did not answer, "" if it did."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    answer: Future[object] = Future()

    def ask() -> None:
        try:
            answer.set_result(HfApi().model_info(model_id, revision=revision, timeout=_PATIENCE_S))
        except Exception as error:  # noqa: BLE001 - handed to the waiting thread, whatever it is
            answer.set_exception(error)

    # A thread, for no time-out covers the look-up of the host's name; a daemon, for nobody waits for it any more.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer.result(_PATIENCE_S)
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code < 500:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"hub model '{model_id}' (revision {revision or 'main'}): {reason} "
                "Check the id and revision; a private or gated model needs HF_TOKEN."
            ) from None
        return f"{constants.ENDPOINT} is out of order"
    except HFValidationError:
        raise
    except FutureTimeoutError:
        return f"{constants.ENDPOINT} did not answer within {_PATIENCE_S:g} s"
    except Exception as error:  # noqa: BLE001 - httpx's or httpx2's, by the version of huggingface_hub
        return f"{constants.ENDPOINT} cannot be reached ({type(error).__name__})"
    return ""


def _fetch(model_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(model_id, revision=revision, allow_patterns=_WANTED, ignore_patterns=_UNWANTED)
        )
    except OSError as error:
        raise ModelError(
            f"hub model '{model_id}': the download broke off ({error}). Run again: it goes on from there."
        ) from None


def _find_cached(model_id: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                model_id,
                revision=revision,
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return None


def _refuse(model_id: str, revision: str | None, reason: str) -> Path:
    from huggingface_hub import constants

    at = f" --revision {revision}" if revision else ""
    raise ModelError(
        f"hub model '{model_id}': {reason}, and {constants.HF_HUB_CACHE} holds no whole copy of it. "
        f"With a network, fetch it once by `hf download {model_id}{at}`; or name a folder."
    )
