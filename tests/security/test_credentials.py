"""Credentials in texts: found where they stand, and never repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.candidate import Candidate
from harness.credentials import find_credentials, names_secret, redact
from harness.errors import SpecError
from harness.record.ledger import LEDGER, Ledger
from harness.record.scores import FoldScore
from harness.spec.load import load_spec

SECRET = "canary/of+the=cloud"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRET)
    monkeypatch.setenv("TOKENS", "3")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/tmp/a-path-of-a-token")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pw@db.example/x", "https://***@db.example/x"),
        ("https://pw@db.example", "https://***@db.example"),
        ("https://u:p@pw@host/x", "https://***@host/x"),
        ("postgres+ssl://a:b@h, s3://k:s@b/c", "postgres+ssl://***@h, s3://***@b/c"),
        ("https://h/x?take=5&api_key=pw#top", "https://h/x?take=5&api_key=***#top"),
        ("https://h/x?X-Amz-Signature=pw&sig=pw", "https://h/x?X-Amz-Signature=***&sig=***"),
        (f"cannot log in with {SECRET}!", "cannot log in with ***!"),
        (f"https://h/{SECRET}", "https://h/***"),
    ],
)
def test_a_credential_is_found_and_not_shown(text: str, shown: str) -> None:
    assert redact(text) == shown
    found = list(find_credentials(text))
    assert found
    assert all(SECRET not in what and "pw" not in what for _, what in found)


@pytest.mark.parametrize(
    "text",
    [
        "ann@db.example",
        "https://h/@ann/x",
        "https://h/x?page=3",
        "3 tokens of /tmp/a-path-of-a-token",
        "label_smoothing: 0.1",
        "a key=value text",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text
    assert not list(find_credentials(text))


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "OPENAI_API_KEY",
        "openai_apikey",
        "DB_PASSWD",
        "X_CREDENTIALS",
        "KAGGLE_KEY",
        "STRIPE_KEY",
        "SSH_PRIVATE_KEY",
        "AZURE_STORAGE_KEY",
        "PGPASS",
        "PGPASSWORD",
        "SSHPASS",
        "DB_PASS",
        "GITHUB_PAT",
        "API_KEY2",
        "GPG_PASSPHRASE",
        "MYSQL_PWD",
        "AUTHTOKEN",
        "CLIENT_SECRET_DATA",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "RAY_AUTH_TOKEN",
    ],
)
def test_secrets_are_known_by_the_names_of_their_variables(name: str) -> None:
    assert names_secret(name)
    assert names_secret(name.lower())


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "PATH",
        "LANG",
        "HF_HOME",
        "XDG_CACHE_HOME",
        "KEYBOARD",
        "TOKENIZERS_PARALLELISM",
        "TOKENIZER",
        "PWD",
        "OLDPWD",
        "PASSAGE",
        "PATTERN",
        "MONKEY",
        "PYTHON_KEYRING_BACKEND",
        "RAY_TLS_SERVER_KEY",
        "GIT_CONFIG_KEY_0",
    ],
)
def test_a_variable_of_another_word_is_no_secret(name: str) -> None:
    assert not names_secret(name)


def test_a_spec_is_refused_for_all_its_credentials_at_once(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"# see https://a:pw@h/x\nversion: 1\nname: {SECRET}\n\tbroken\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file, overrides=["description=https://pw@h/x", "seed=1"])
    assert str(caught.value).splitlines() == [
        f"{file}:1:15: holds the login of a URL, and a spec is kept with its results: "
        "leave it out, and give hubs their token by HF_TOKEN",
        f"{file}:3:7: holds the value of the environment variable MY_API_KEY, and a spec is kept with its results: "
        "leave it out, and give hubs their token by HF_TOKEN",
        "--set description=https://***@h/x: holds the login of a URL, and what is set is kept with the results: "
        "leave it out, and give hubs their token by HF_TOKEN",
    ]


def test_a_ledger_is_told_no_secret(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(
            FoldScore(study="s", trial=0, repeat=0, fold=0, state="error", error=f"ValueError: {SECRET}")
        )
        ledger.record_end("s", 0, "failed", f"every fold failed: https://{SECRET}@h/x")
        known = ledger.history().trials["s", 0]
    lines = [json.loads(line) for line in (tmp_path / LEDGER).read_text().splitlines()]
    assert [lines[1]["error"], lines[2]["reason"]] == [
        "ValueError: ***",
        "every fold failed: https://***@h/x",
    ]
    assert [known.folds[0].error, known.reason] == ["ValueError: ***", "every fold failed: https://***@h/x"]


CANDIDATE = Candidate(
    method="full",
    freeze_depth=1,
    head_lr=1e-3,
    backbone_lr=None,
    layer_decay=1.0,
    weight_decay=0.01,
    dropout=None,
    label_smoothing=0.0,
    batch_norm="fixed",
    epochs=1,
    batch_size=8,
    warmup=0.1,
    schedule="linear",
    clip=1.0,
)
