"""Hub: where models that are named by an id would come from, and whether that place answers."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from urllib.parse import urlsplit

from harness.doctor.finding import Finding, praise, warn

ENDPOINT = "https://huggingface.co"
PATIENCE_S = 2.0
YES = {"1", "on", "yes", "true"}  # as huggingface_hub reads it


def check_cache(environment: Mapping[str, str], home: Path) -> Finding:
    """Say where fetched models lie and whether the hub's libraries are told to stay offline; never a token."""
    folder = Path(environment.get("HF_HOME") or home / ".cache" / "huggingface").expanduser()
    told = f"models that are fetched lie in {folder}"
    if _is_offline(environment):
        told += "; HF_HUB_OFFLINE is set: nothing is fetched"
    if environment.get("HF_TOKEN"):
        told += "; a token is set"
    return praise("hub", told)


def check_reach(environment: Mapping[str, str], *, patience_s: float = PATIENCE_S) -> Iterator[Finding]:
    """Ask the hub's front page for its header once, without a token; say whether it answered in time."""
    if _is_offline(environment):
        return
    endpoint = environment.get("HF_ENDPOINT") or ENDPOINT
    place = urlsplit(endpoint).hostname or "the hub"  # an endpoint may carry a password
    answer: Future[int] = Future()

    def ask() -> None:
        try:
            answer.set_result(_ask(endpoint, patience_s))
        except Exception as fault:  # noqa: BLE001 - handed to the waiting thread, whatever it is
            answer.set_exception(fault)

    # A thread, for no time-out covers the look-up of a name; a daemon, for nobody waits for it any more.
    threading.Thread(target=ask, daemon=True).start()
    try:
        status = answer.result(patience_s)
    except FutureTimeoutError:
        yield _complain(f"{place} did not answer within {patience_s:g} s")
    except Exception as fault:  # noqa: BLE001 - whatever it was, the hub was not reached
        yield _complain(f"{place} cannot be reached ({type(fault).__name__})")
    else:
        yield praise("hub", f"{place} answers (HTTP {status})")


def _ask(endpoint: str, patience_s: float) -> int:
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError("no web address")
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=patience_s) as response:
            return int(response.status)
    except urllib.error.HTTPError as refusal:  # it answered
        return refusal.code


def _is_offline(environment: Mapping[str, str]) -> bool:
    return environment.get("HF_HUB_OFFLINE", "").lower() in YES


def _complain(told: str) -> Finding:
    return warn(
        "hub",
        f"{told}: models and data named by a hub's id cannot be fetched",
        "use assets or folders, or fetch where there is a network and run with --offline",
    )
