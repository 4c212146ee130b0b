"""What looks like a secret, by its name or by its text: the model gets neither.

A guess, and so on the safe side: `n_tokens` is held back too. Renaming a variable shows it.
"""

from __future__ import annotations

import re
from typing import Any

from gip_nb.tools.reading.kinds import Kind, kind_of, plain

__all__ = ["HIDDEN", "is_secret_column", "is_secret_name", "is_secret_text", "without_secrets"]

HIDDEN = "[hidden: looks like a secret]"

_WITHIN = re.compile("password|passwd|passphrase|passwort|secret|token|credential|apikey|bearer")
# Words that are part of harmless ones (monkey, keyboard, author): they count where they stand alone.
_WORDS = {"key", "keys", "pwd", "pw", "auth", "cookie", "cookies", "pin"}
# Of a column: a table of words has tokens and keys that are none of these.
_COLUMN = re.compile("password|passwd|passphrase|passwort|secret|credential|apikey|accesstoken|authtoken")
_WORD = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TEXT = re.compile(
    r"""
      \b(?: sk | rk | pk )[-_][A-Za-z0-9_-]{6,}           # OpenAI, Anthropic, Stripe and their like
    | \b(?: ghp | gho | ghu | ghs | ghr )_[A-Za-z0-9]{10,} | \bgithub_pat_\w{10,} | \bglpat-[\w-]{10,}
    | \bhf_[A-Za-z0-9]{10,} | \bxox[a-z]-[\w-]{8,} | \bAIza[\w-]{20,} | \b(?: AKIA | ASIA )[A-Z0-9]{12,}
    | \bpypi-[\w-]{16,} | \bnpm_[A-Za-z0-9]{20,}
    | \beyJ[\w-]{8,300}\.[\w-]{8,2000}\.                    # a JSON web token
    | -----BEGIN\ [A-Z\ ]{0,40}PRIVATE\ KEY-----
    | \b[Bb]earer\s{1,9}[\w.~+/-]{16,}
    | ://[^\s:/@]{1,100}:[^\s:/@]{1,200}@                  # a password in an address
    """,
    re.VERBOSE,
)


def is_secret_name(name: Any) -> bool:
    """Whether what has this name, or this key in a dict, is likely a secret: `API_KEY`, `dbPassword`."""
    if kind_of(name) is Kind.TUPLE:
        return any(map(is_secret_name, name))
    if kind_of(name) is Kind.BYTES:
        name = name.decode("latin-1")
    if kind_of(name) is not Kind.TEXT:
        return False
    name = plain(name)
    if _WITHIN.search(name.lower().replace("_", "")):
        return True
    return any(word.lower() in _WORDS for word in _WORD.findall(name))


def is_secret_column(name: Any) -> bool:
    """Whether the cells of a column that is called so are likely secrets; of names in levels, any."""
    if kind_of(name) is Kind.TUPLE:
        return any(map(is_secret_column, name))
    if kind_of(name) is not Kind.TEXT:
        return False
    return _COLUMN.search(plain(name).lower().replace("_", "")) is not None


def is_secret_text(text: str) -> bool:
    """Whether a text holds what has the form of a key."""
    return _TEXT.search(text) is not None


def without_secrets(text: str) -> str:
    """The text with what has the form of a key taken out."""
    return _TEXT.sub(HIDDEN, text)
