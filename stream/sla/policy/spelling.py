"""Finds values of ticket fields that differ from what policies name only in case, spaces or form of Unicode.

Such a difference is nearly always a mistake: a ticket of priority ``P1`` is not a ticket of priority ``p1``, and nothing is
promised to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import normalize

from stream.sla.events import TICKET_FIELDS
from stream.sla.policy.conditions import Changed, FieldIn, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.sla.policy.conditions import Condition, Fields


class Misspelling(NamedTuple):
    """A value of a ticket that no condition names, and the value that differs from it by spelling alone."""

    field: str
    value: str
    named: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value!r}, and policies name {self.named!r}"


def folded(text: str) -> str:
    """The text without what spellings differ in: compatibility form of Unicode, case, and spaces."""
    return "".join(normalize("NFKC", normalize("NFKC", text).casefold()).split())


class Spellings:
    """The names and values of ticket fields as conditions write them."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        fields: dict[str, None] = dict.fromkeys(TICKET_FIELDS)
        values: dict[str, dict[str, None]] = {}
        for condition in conditions:
            for leaf in leaves(condition):
                if isinstance(leaf, FieldIn):
                    fields[leaf.field] = None
                    values.setdefault(leaf.field, {}).update(dict.fromkeys(sorted(leaf.values)))
                elif isinstance(leaf, Changed):
                    fields.update(dict.fromkeys(sorted(leaf.fields)))
        self._fields: Final = _by_folded(fields)
        self._values: Final = {field: _by_folded(named) for field, named in values.items()}

    def several(self) -> Iterator[tuple[str, list[str]]]:
        """Names of fields, and values of each field, that are written in several ways: ``""`` or the field, the ways."""
        for ways in self._fields.values():
            if len(ways) > 1:
                yield "", ways
        for field, named in self._values.items():
            for ways in named.values():
                if len(ways) > 1:
                    yield field, ways

    def misspelt(self, fields: Fields) -> Iterator[Misspelling]:
        """The values of a ticket that are written otherwise than every policy writes them."""
        for field, value in fields.items():
            named = self._values.get(field)
            if named is None:
                continue
            for text in value if isinstance(value, list) else [value]:
                ways = named.get(folded(text))
                if ways and text not in ways:
                    yield Misspelling(field, text, ways[0])


def _by_folded(texts: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(folded(text), []).append(text)
    return found
