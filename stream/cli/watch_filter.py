"""Selects the effects that ``breachwatch watch`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

import click

from stream.sla.effects import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.effects import Effect

_ANY_OF: Final = "*"


@dataclass(frozen=True, slots=True)
class EffectFilter:
    """Passes an effect that fulfils every part that is not empty, by any of its values."""

    kinds: frozenset[Kind]
    tickets: frozenset[str]
    policies: frozenset[str]
    fields: tuple[tuple[str, frozenset[str]], ...]
    """Names of ticket fields, each with the values that pass. Of a list, one value must."""
    late: bool | None
    """``None``: both."""
    routine: bool

    def passes(self, effect: Effect) -> bool:
        return (
            (not self.kinds or effect.kind in self.kinds)
            and (not self.tickets or effect.ticket in self.tickets)
            and (not self.policies or effect.policy in self.policies)
            and (self.late is None or effect.late is self.late)
            and (self.routine or not effect.routine)
            and all(_has(effect, name, values) for name, values in self.fields)
        )


def _has(effect: Effect, name: str, values: frozenset[str]) -> bool:
    value = effect.fields.get(name, "")
    return value in values if isinstance(value, str) else not values.isdisjoint(value)


def kinds(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> frozenset[Kind]:
    """Effect types, or patterns such as ``escalation.*`` or ``*.breached``, as a click callback."""
    found: set[Kind] = set()
    for text in texts:
        matching = [kind for kind in Kind if fnmatchcase(kind, text if "." in text else f"{_ANY_OF}.{text}")]
        if not matching:
            raise click.BadParameter(f"{text!r} is not a type of effect: use one of {', '.join(Kind)}, or escalation.*")
        found.update(matching)
    return frozenset(found)


def fields(
    priorities: Iterable[str], customers: Iterable[str], others: Iterable[str]
) -> tuple[tuple[str, frozenset[str]], ...]:
    """The values of the options, by field. ``others``: as ``name=value``. Raises click.BadParameter."""
    wanted: dict[str, set[str]] = {}
    for name, values in (("priority", priorities), ("customer", customers)):
        for value in values:
            wanted.setdefault(name, set()).add(normalize("NFC", value))
    for text in others:
        name, equals, value = normalize("NFC", text).partition("=")
        if not (equals and name):
            raise click.BadParameter(f"{text!r} is not a field and its value: use name=value, such as team=first-line")
        wanted.setdefault(name, set()).add(value)
    return tuple((name, frozenset(values)) for name, values in wanted.items())
