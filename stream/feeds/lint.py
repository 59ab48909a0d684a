"""Warnings about a valid mapping: what is allowed, and likely wrong."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stream.documents.document import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stream.feeds.place import Node, Place
    from stream.feeds.rule import Rule
    from stream.feeds.value import Value

_PERSONAL: Final = re.compile(
    r"(?:^|[^a-z])(?:e_?mail|mail|phone|mobile|first_?name|last_?name|full_?name|display_?name|user_?name|login|address"
    r"|(?:requester|contact|customer|user|author|sender|assignee|owner|agent|creator|submitter)\.name)(?:$|[^a-z])",
    re.IGNORECASE,
)
"""The last keys of paths to names and addresses of people."""
_TEXTS: Final = frozenset({"ticket", "into", "id", "party", "role"})
"""Keys of an event that may have any text."""
_FREE_TEXT: Final = re.compile(
    r"(?:^|[^a-z])(?:body|content|text|comment|notes?|description|subject|title|summary)$", re.IGNORECASE
)


_LIKE_A_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_ONE_OF_EACH_PAYLOAD: Final = ("ticket", "at")
"""Keys that are never the same for every payload."""


def lint(rules: Sequence[Rule], fields: Mapping[str, Value], tables: Mapping[str, Mapping[str, Node]]) -> Iterator[Problem]:
    """The warnings of a mapping."""
    values = [
        value for rule in rules for template in rule.say for value in (*template.keys.values(), *template.fields.values())
    ]
    used = {table for value in (*values, *fields.values()) for table in value.tables}
    for name, rows in tables.items():
        if name not in used:
            yield _warning(next(iter(rows.values())).place, f"the table `{name}` is not used by any value")
    yield from _unreachable(rules)
    for place, message in dict.fromkeys(_constants(rules, fields)):
        yield _warning(place, message)
    for place, message in dict.fromkeys(_personal(rules, fields)):
        yield _warning(place, message)


def _unreachable(rules: Sequence[Rule]) -> Iterator[Problem]:
    for rule, after in pairwise(rules):
        if rule.when is None and rule.each is None and not rule.say:
            yield _warning(after.place, "no rule from here on is ever tried: the rule before it has no `when`, and no `say`")
            return


def _constants(rules: Sequence[Rule], fields: Mapping[str, Value]) -> Iterator[tuple[Place, str]]:
    """Constants where a path is likely meant."""
    templates = [template for rule in rules for template in rule.say]
    for template in templates:
        for key in _ONE_OF_EACH_PAYLOAD:
            if not template.keys[key].path:
                yield template.keys[key].place, f"`{key}` is the same for every payload: write a path in braces"
    named = [(name, value) for template in templates for name, value in (*template.keys.items(), *template.fields.items())]
    for name, value in (*fields.items(), *named):
        for constant, node in value.outcomes:
            if not value.tables and isinstance(constant, str) and _LIKE_A_PATH.fullmatch(constant):
                yield node.place, f'`{name}` is the text `{constant}`: write "{{{constant}}}" for the value of that path'


def _personal(rules: Sequence[Rule], fields: Mapping[str, Value]) -> Iterator[tuple[Place, str]]:
    for name, value in fields.items():
        yield from _of_people(name, value)
    for rule in rules:
        for template in rule.say:
            named = [(key, value) for key, value in template.keys.items() if key in _TEXTS]
            for name, value in [*template.fields.items(), *named]:
                yield from _of_people(name, value)


def _of_people(name: str, value: Value) -> Iterator[tuple[Place, str]]:
    for path in value.reads:
        if _PERSONAL.search(path):
            yield (
                value.place,
                f"`{name}` reads `{path}`, which may name a person; map an id instead: events need no personal data",
            )
        elif _FREE_TEXT.search(path):
            yield value.place, f"`{name}` reads `{path}`, which may be free text; an event needs only fields that policies name"


def _warning(place: Place, message: str) -> Problem:
    return Problem(place.file, place.line, "", message, Severity.WARNING)
