"""Compiles the expressions of a mapping to closures over a payload.

Dotted paths, comparisons and ``&&``, ``||``, ``!`` become closures, ten times as fast as the interpreter of ``jmespath``. The
interpreter evaluates every other part. An expression means the same either way.

The steps of the interpreter are bounded (``bounded``), because an expression can take time that grows with a power of the
length of the payload.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from threading import local
from typing import TYPE_CHECKING, Any, Final

from jmespath.exceptions import JMESPathError
from jmespath.visitor import Options, TreeInterpreter

from stream.feeds.expression import Functions, parse

if TYPE_CHECKING:
    from stream.feeds.expression import Node

Scope = dict[str, Any]
"""The keys of the payload, and the names of ``expression.NAMES``."""
Get = Callable[[Any], Any]

MAX_STEPS: Final = 3_000_000
"""Steps of the interpreter for one payload: some two seconds."""


class EvaluationError(Exception):
    """The payload has a value of a type that the expression cannot use, or the expressions take too many steps."""


class _Interpreter(TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    def __init__(self) -> None:
        super().__init__(Options(custom_functions=Functions()))
        self.left: float = inf
        """The number of steps that it may still take."""
        self._methods: Final[dict[str, Any]] = {}

    def visit(self, node: Node, *arguments: Any) -> Any:
        """As ``jmespath``'s, without a call of it: it is called for each node and element."""
        self.left -= 1
        if self.left < 0:
            raise EvaluationError(f"the expressions of the mapping take more than {MAX_STEPS:,} steps for this payload")
        kind = node["type"]
        method = self._methods.get(kind)
        if method is None:
            method = self._methods[kind] = getattr(self, f"visit_{kind}")
        return method(node, *arguments)


class _OfThread(local):
    def __init__(self) -> None:
        self.interpreter: Final = _Interpreter()


_of_thread: Final = _OfThread()


@contextmanager
def bounded() -> Iterator[None]:
    """Within it, expressions raise ``EvaluationError`` once they have taken more than ``MAX_STEPS`` together."""
    interpreter = _of_thread.interpreter
    interpreter.left = MAX_STEPS
    try:
        yield
    finally:
        interpreter.left = inf


def compile_path(text: str) -> Get:
    """The closure of an expression. It returns ``None`` for a value that is missing, and may raise ``EvaluationError``.

    Raises ``PathError``.
    """
    return _compiled(parse(text))


def compile_condition(text: str) -> Callable[[Any], bool]:
    """The closure of an expression as a condition: false for null, false, and an empty text, list or object.

    Raises ``PathError``.
    """
    get = _compiled(parse(text))
    return lambda scope: _is_true(get(scope))


def _compiled(node: Node) -> Get:
    kind, children = node["type"], node["children"]
    names = _dotted(node)
    if names is not None:
        return _path(names)
    if kind == "literal":
        literal = node["value"]
        return lambda _: literal
    if kind in {"current", "identity"}:
        return lambda value: value
    if kind == "index":
        return _element(node["value"])
    if kind in {"subexpression", "index_expression", "pipe"}:
        return _chain([_compiled(child) for child in children])
    if kind in _OPERATORS:
        return _OPERATORS[kind](*(_compiled(child) for child in children))
    if kind == "comparator":
        return _comparison(node["value"], children)
    return _interpreted(node)


def _dotted(node: Node) -> tuple[str, ...] | None:
    """The keys of a dotted path; ``None`` for another expression."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_dotted(child) for child in node["children"]]
    return tuple(name for part in parts if part for name in part) if all(parts) else None


def _path(names: tuple[str, ...]) -> Get:
    if len(names) == 1:
        only = names[0]
        return lambda value: value.get(only) if type(value) is dict else None
    if len(names) == 2:
        first, second = names

        def two(value: Any) -> Any:
            value = value.get(first) if type(value) is dict else None
            return value.get(second) if type(value) is dict else None

        return two

    def many(value: Any) -> Any:
        for name in names:
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return many


def _element(index: int) -> Get:
    return lambda value: value[index] if type(value) is list and -len(value) <= index < len(value) else None


def _chain(steps: list[Get]) -> Get:
    first, *rest = steps

    def chained(value: Any) -> Any:
        value = first(value)
        for step in rest:
            value = step(value)
        return value

    return chained


def _either(left: Get, right: Get) -> Get:
    def either(value: Any) -> Any:
        found = left(value)
        return found if _is_true(found) else right(value)

    return either


def _both(left: Get, right: Get) -> Get:
    def both(value: Any) -> Any:
        found = left(value)
        return right(value) if _is_true(found) else found

    return both


def _negated(operand: Get) -> Get:
    return lambda value: not _is_true(operand(value))


_OPERATORS: Final[Mapping[str, Callable[..., Get]]] = {
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _negated,
}
_ORDERINGS: Final = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


def _comparison(word: str, children: list[Node]) -> Get:
    left, right = map(_compiled, children)
    if word in _ORDERINGS:
        holds = _ORDERINGS[word]

        def ordered(value: Any) -> bool | None:
            one, other = left(value), right(value)
            both_texts = type(one) is str and type(other) is str
            return holds(one, other) if both_texts or (_is_number(one) and _is_number(other)) else None

        return ordered
    wanted = word == "eq"
    if children[1]["type"] == "literal" and type(children[1]["value"]) is str:
        text = children[1]["value"]
        return lambda value: (left(value) == text) is wanted
    return lambda value: _equal(left(value), right(value)) is wanted


def _equal(one: Any, other: Any) -> bool:
    """JMESPath keeps true and 1 apart, and false and 0."""
    return bool((type(one) is bool) == (type(other) is bool) and one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and type(value) is not bool


def _is_true(value: Any) -> bool:
    """Truth as JMESPath has it: 0 is true."""
    return bool(value) or type(value) is int or type(value) is float


def _interpreted(node: Node) -> Get:
    def interpreted(value: Any) -> Any:
        try:
            return _of_thread.interpreter.visit(node, value)
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as error:
            raise EvaluationError(str(error)) from error

    return interpreted
