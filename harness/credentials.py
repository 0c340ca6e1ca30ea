"""Credentials: where they stand, and texts without them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

HIDDEN = "***"
SHORTEST = 8  # letters of a secret; a variable such as TOKENS=3 would blank out every 3

# The end of a word of the name, or a whole one: a TOKENIZER and a KEYBOARD hide nothing, and neither does a PATH.
_SECRET = re.compile(
    r"(TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?|PGPASS|SSHPASS|MYSQL_PWD"
    r"|(API|ACCESS|SECRET|PRIVATE)KEYS?|(^|_)(PASS|PAT|KEYS?))\d*($|_)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"(RAY_TLS|GIT_CONFIG_KEY)_")  # names files, and settings that git must have all of
_PLACE = re.compile(r"_(PATH|FILE|DIR)$", re.IGNORECASE)  # says where a secret lies, and is none
_LOGIN = re.compile(r"(?<=://)[^\s/'\"<>]+(?=@)")  # to the last @: people do not escape their passwords
_QUERY = re.compile(
    r"(?<=[?&])((?:[\w-]*(?:token|secret|password|signature|api[_-]?key|access[_-]?key)|sig|key)=)[^\s&'\"<>#]+",
    re.IGNORECASE,
)


def names_secret(variable: str) -> bool:
    """Return whether an environment variable of this name may hold a secret."""
    return bool(_SECRET.search(variable)) and not _HARMLESS.match(variable)


def redact(text: str) -> str:
    """Return a text with `***` for the logins and keys of URLs and for the secrets of this process's environment."""
    for secret in _list_secrets():
        text = text.replace(secret, HIDDEN)
    return _QUERY.sub(rf"\1{HIDDEN}", _LOGIN.sub(HIDDEN, text))


def find_credentials(text: str) -> Iterator[tuple[int, str]]:
    """Yield where a credential stands in a text, and what it is, in words that do not repeat it."""
    for match in _LOGIN.finditer(text):
        yield match.start(), "the login of a URL"
    for match in _QUERY.finditer(text):
        yield match.end(1), f"the '{match[1].rstrip('=')}' of a URL"
    for name, secret in _named_secrets().items():
        if (at := text.find(secret)) >= 0:
            yield at, f"the value of the environment variable {name}"


def _list_secrets() -> list[str]:
    """Return the secrets, longest first: one may be a part of another."""
    return sorted(_named_secrets().values(), key=len, reverse=True)


def _named_secrets() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if len(value) >= SHORTEST and names_secret(name) and not _PLACE.search(name)
    }
