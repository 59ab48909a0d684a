"""Compiles the values of a mapping: constants, templates, tables, first matches and times.

=====================================================  ===========================================================
``open``, ``5``, ``true``                              a constant
``"{ticket.id}"``                                      the value of a path, with its type
``"{ticket.id}/{comment.id}"``                         a text; nothing if one of its paths has no value
``{from: VALUE, table: NAME}``                         the row of a table; without a row the payload does not fit
``{from: VALUE, table: NAME, else: same}``             the row of a table; without a row, or a table, the value itself
``{from: VALUE, time: FORM, zone: ZONE}``              an instant: ``iso``, ``s``, ``ms`` or a ``strptime`` format
``{from: VALUE, split: TEXT}``                         a list: the parts of a text; a list stays as it is
``[{when: CONDITION, is: VALUE}, ..., {is: VALUE}]``   the value of the first condition that holds
``null``                                               nothing
=====================================================  ===========================================================

A value that is ``None`` is nothing: the event does not get the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.documents.readers import listed, section, shown, suggestion
from stream.feeds.evaluation import fitting, read_condition
from stream.feeds.expression import PathError
from stream.feeds.path import Get, Scope, compile_path
from stream.feeds.place import Place, UnfitError
from stream.feeds.scalar import as_text, described
from stream.feeds.times import TimeFormError, read_time

if TYPE_CHECKING:
    from stream.feeds.place import Node

DEFAULT_ROW: Final = "*"
Scalar = str | int | float | bool | None
Tables = Mapping[str, "Mapping[str, Node]"]
"""The rows of each table; the data of a row is a scalar."""

_PLACES: Final = re.compile(r"\{([^{}]*)\}")
_SAME: Final = "same"
_CONVERSIONS: Final = ("table", "time", "split")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a mapping, ready to be computed from a payload."""

    compute: Callable[[Scope], object]
    """The value in a scope. Raises ``UnfitError``."""
    place: Place
    path: str
    """The expressions of the value, as in the mapping; empty for a constant."""
    outcomes: tuple[tuple[Scalar, Node], ...] = ()
    """The constants that may come out, with the place of each."""
    reads: tuple[str, ...] = ()
    """The expressions whose values may come out, as they are or within a text."""
    tables: tuple[str, ...] = ()
    """The tables in which it looks up."""


def read_value(node: Node, tables: Tables) -> Value | None:
    """Compile a value. ``None`` after its problems have been reported."""
    data = node.data
    if isinstance(data, str) and ("{" in data or "}" in data):
        return _template(node, data)
    if isinstance(data, list):
        return _first_match(node, data, tables)
    if isinstance(data, Mapping):
        return _converted(node, tables)
    if data is None or isinstance(data, str | int | float | bool):
        return Value(lambda _: data, node.place, "", ((data, node),))
    node.error(f"must be a value, not {shown(data)}")
    return None


def _template(node: Node, text: str) -> Value | None:
    parts = _PLACES.split(text)
    if any("{" in part or "}" in part for part in parts):
        node.error(f"{shown(text)} has a brace without its partner; a path is written {{path}}")
        return None
    try:
        paths = [fitting(compile_path(path), node.place, path) for path in parts[1::2]]
    except PathError as error:
        node.error(str(error))
        return None
    path, reads = ", ".join(parts[1::2]), tuple(parts[1::2])
    if len(paths) == 1 and not parts[0] and not parts[2]:
        return Value(paths[0], node.place, path, reads=reads)
    return Value(_joined(parts, paths, node.place), node.place, path, reads=reads)


def _joined(parts: list[str], paths: list[Get], place: Place) -> Callable[[Scope], str | None]:
    first, *rest = parts[0::2]
    steps = tuple(zip(paths, parts[1::2], rest, strict=True))

    def joined(scope: Scope) -> str | None:
        text = first
        for get, path, after in steps:
            found = as_text(get(scope), place, path)
            if not found:
                return None
            text += found + after
        return text

    return joined


def _first_match(node: Node, data: list[object], tables: Tables) -> Value | None:
    cases: list[tuple[Callable[[Scope], bool] | None, Value]] = []
    usable = bool(data)
    if not data:
        node.error("must be a list with at least one {when, is}, not an empty list")
    for index, item in enumerate(data):
        here = node.under(index, item)
        read = section(item, here.report, ("when", "is"), ("is",))
        if read is None or "is" not in read:
            usable = False
            continue
        when = read_condition(here.under("when", read["when"])) if "when" in read else None
        value = read_value(here.under("is", read["is"]), tables)
        if "when" not in read and index < len(data) - 1:
            here.error("has no `when`, so no later item is ever used; move it to the end")
            usable = False
        if value is None or (when is None and "when" in read):
            usable = False
        else:
            cases.append((when, value))
    if not usable:
        return None

    def first_match(scope: Scope) -> object:
        for when, value in cases:
            if when is None or when(scope):
                return value.compute(scope)
        return None

    values = [value for _, value in cases]
    return Value(
        first_match,
        node.place,
        ", ".join(dict.fromkeys(value.path for value in values if value.path)),
        tuple(outcome for value in values for outcome in value.outcomes),
        tuple(path for value in values for path in value.reads),
        tuple(table for value in values for table in value.tables),
    )


def _converted(node: Node, tables: Tables) -> Value | None:
    read = section(node.data, node.report, ("from", *_CONVERSIONS, "else", "zone"), ("from",))
    if read is None or "from" not in read:
        return None
    given = [key for key in _CONVERSIONS if key in read]
    if len(given) != 1:
        node.error(f"must have `from` and one of {listed(_CONVERSIONS)}")
        return None
    if "zone" in read and given != ["time"]:
        node.error("`zone` belongs to `time`")
        return None
    if "else" in read and (given != ["table"] or read["else"] != _SAME):
        node.report(("else",), f"`else` belongs to `table`, and can only be `{_SAME}`: the value itself")
        return None
    source = node.under("from", read["from"])
    inner = read_value(source, tables)
    if inner is not None and not inner.path and not isinstance(source.data, list):
        source.error(f'must read a path: write it in braces, as in "{{{source.data}}}"')
        return None
    if given == ["time"]:
        convert = read_time(node, read)
        if inner is None or convert is None:
            return None
        return Value(_applied(inner, convert), node.place, inner.path, tables=inner.tables)
    if given == ["split"]:
        return _split(node.under("split", read["split"]), inner)
    return _looked_up(node.under("table", read["table"]), inner, tables, same="else" in read)


def _applied(inner: Value, convert: Callable[[object], str]) -> Callable[[Scope], object]:
    def applied(scope: Scope) -> object:
        found = inner.compute(scope)
        if found is None or found == "":
            return None
        try:
            return convert(found)
        except TimeFormError as error:
            raise UnfitError(f"{described(found)} {error}", inner.place, inner.path) from error

    return applied


def _split(node: Node, inner: Value | None) -> Value | None:
    separator = node.data
    if not isinstance(separator, str) or not separator:
        node.error(f'must be the text between two parts, such as ",", not {shown(separator)}')
        return None
    if inner is None:
        return None

    def split(scope: Scope) -> object:
        found = inner.compute(scope)
        if found is None or isinstance(found, list):
            return found
        text = as_text(found, inner.place, inner.path) or ""
        return [part.strip() for part in text.split(separator) if part.strip()]

    return Value(split, node.place, inner.path, reads=inner.reads, tables=inner.tables)


def _looked_up(node: Node, inner: Value | None, tables: Tables, *, same: bool) -> Value | None:
    name = node.data
    if not isinstance(name, str) or (name not in tables and not same):
        known = f"; tables: {listed(tables)}" if tables else "; the mapping has no `tables`"
        node.error(f"{shown(name)} is not a table{suggestion(str(name), tables)}{known}")
        return None
    if inner is None:
        return None
    table = tables.get(name, {})
    rows = {key: row.data for key, row in table.items()}
    has_default = DEFAULT_ROW in rows

    def look_up(scope: Scope) -> object:
        found = inner.compute(scope)
        if found is None:
            return None
        key = as_text(found, inner.place, inner.path) or ""
        if key in rows:
            return rows[key]
        if same and (found == "" or not has_default):
            return found
        if has_default:
            return rows[DEFAULT_ROW]
        raise UnfitError(f"the table `{name}` has no row for {described(found)}: add one", inner.place, inner.path)

    outcomes = tuple((row.data, row) for row in table.values())
    reads = inner.reads if same else ()
    return Value(look_up, node.place, inner.path, outcomes, reads, (name, *inner.tables))  # type: ignore[arg-type]  # check_rows
