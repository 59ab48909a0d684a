"""Scalars of payloads as text: for values, and for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream.documents.readers import shown
from stream.feeds.place import UnfitError

if TYPE_CHECKING:
    from stream.feeds.place import Place


def as_text(value: object, place: Place, path: str) -> str | None:
    """A scalar of a payload as text, as JSON has it; ``None`` stays. Raises ``UnfitError`` for a list or an object."""
    if type(value) is str or value is None:
        return value
    if type(value) is int:
        return _digits(value, place, path)
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float and value - value == 0:
        return repr(value).removesuffix(".0")
    raise UnfitError(f"{described(value)}, where a text or a number is needed", place, path)


def _digits(value: int, place: Place, path: str) -> str:
    if -(10**30) < value < 10**30:
        return str(value)
    raise UnfitError("a number of more than 30 digits", place, path)


def described(value: object) -> str:
    """A value of a payload for a message: its type, and a scalar in short. Never more: a payload may hold anything."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and type(value) is not bool and not -(10**30) < value < 10**30:
        return "a number of more than 30 digits"
    return shown(value)
