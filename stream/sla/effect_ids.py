"""The id of an effect: a hash of the fact that it states.

Not in ``effects.py``, because this is compiled, and msgspec's structs cannot be.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.sla.effects import Kind

Occasion = tuple[str, int, int]
"""Metric, cycle of its stopwatch, and revision within the cycle: of a commitment or an escalation."""

_SEPARATOR: Final = "\x1f"
"""Names of policies never have it; those that sources give may."""
_blank: Final = blake2b(digest_size=12).copy
"""A copy costs half of what it costs to have the parameters checked again."""


def stem(ticket: str, name: str, occasion: Occasion, kind: Kind, detail: str, cause: str = "") -> str:
    """Hash that names a fact about the commitment or ladder ``name``; revisions of the fact get a suffix.

    ``detail``: the threshold, or the level and the number of its repetition. ``cause``: the event, only where the same may
    happen many times in a cycle (a pause, a request): its ``occurrence``.
    """
    metric, cycle, revision = occasion
    # Mostly the first, and not revised: a constant costs nothing.
    counted, revised = "1" if cycle == 1 else str(cycle), str(revision) if revision else "0"
    fact = _blank()
    if _SEPARATOR in ticket:
        ticket = _quoted(ticket)
    fact.update(_SEPARATOR.join((ticket, name, metric, counted, kind, detail, revised, cause)).encode())
    return fact.hexdigest()


def occurrence(cause: str, seq: int) -> str:
    """An event as the cause of what it makes true: no two events of a source have the same."""
    if _SEPARATOR in cause:
        cause = _quoted(cause)
    return f"{cause}{_SEPARATOR}{seq}" if seq else cause


def _quoted(text: str) -> str:
    """A text that has the separator, so that it has none but at its beginning, where no other text has one."""
    return f"{_SEPARATOR}{text.encode().hex()}"
