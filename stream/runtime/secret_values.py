"""Secrets that settings name: ``env:NAME`` is a variable, ``file:PATH`` is a file. A setting never has the secret itself.

A secret of a file ends before its last newline, as editors and ``echo`` write one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class SecretError(ValueError):
    """A secret cannot be had. The text names the reference, what is wrong and what to do, and never the secret."""


def checked(reference: str) -> str:
    """A reference in its right form. Raises SecretError."""
    kind, _, name = reference.strip().partition(":")
    if kind not in ("env", "file") or not name:
        # The text may be the secret itself, so it must not be shown.
        raise SecretError("a secret is given as env:NAME for a variable, or file:PATH for a file, never as itself")
    return reference.strip()


def secret(reference: str, environment: Mapping[str, str]) -> bytes:
    """The secret that a reference names. Raises SecretError."""
    kind, _, name = checked(reference).partition(":")
    if kind == "env":
        if name not in environment:
            raise SecretError(
                f"{reference}: the variable {name} is not set: export it where this command starts, or name another"
            )
        value = environment[name].encode()
    else:
        try:
            value = Path(name).read_bytes()
        except OSError as error:
            raise SecretError(f"{reference}: the file cannot be read: {error.strerror}") from error
        value = value.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise SecretError(f"{reference}: the secret is empty")
    return value
