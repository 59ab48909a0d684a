"""Parses the expressions of a mapping, which are JMESPath, and refuses what parses and means something else than it seems to.

An expression sees the keys of the payload and the names of ``NAMES``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions as StandardFunctions
from jmespath.functions import signature

from stream.documents.readers import suggestion
from stream.wire.instants import format_instant, parse_instant

Node = Mapping[str, Any]
"""A node of a parsed expression: ``type``, ``children`` and mostly ``value``, as ``jmespath`` has them."""

NAMES: Final = ("doc", "item", "index", "header", "received")
"""The payload as a whole, the element and its position in a rule with ``each``, the headers, and the instant of the arrival."""

MAX_LENGTH: Final = 1_000

_STRING: Final = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\])*\"")
_HEADER: Final = re.compile(r"(?<![\w.\"])header\.([A-Za-z0-9_-]+)")
_COMPARED: Final = r"(?:==|!=|<=|>=|<|>)\s*"
_COMPARED_WITH_KEY: Final = re.compile(_COMPARED + '"')
_HINTS: Final = (
    (re.compile(r"^\s*\{"), "a condition has no braces, only values have"),
    (re.compile(_COMPARED + r"-?[0-9]"), "write a number in backticks: status == `5`"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "compare with =="),
    (re.compile(r"\b(?:and|or|not)\b"), "use && for and, || for or, !(...) for not"),
    (re.compile(r"[\w]-[\w]|@[\w]|\$"), 'write a key that is not a plain word in double quotes: doc."first-key"'),
)


class Functions(StandardFunctions):  # type: ignore[misc]  # jmespath has no types
    """The functions of JMESPath, and two for ids that must be the same from two places that write a value in two ways.

    ``lower('OPEN')`` is ``open``. ``instant('2026-03-02T14:30:00.120+0530')`` is ``2026-03-02T09:00:00.12Z``.
    A missing value neither begins with, ends with nor contains anything; in JMESPath it is an error.
    """

    @signature({"types": ["string", "null"]})  # type: ignore[untyped-decorator]  # jmespath has no types
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @signature({"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_instant(self, text: str | None) -> str | None:
        return None if text is None else format_instant(parse_instant(text))

    @signature({"types": ["string", "null"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_starts_with(self, text: str | None, part: str) -> bool:
        return text is not None and text.startswith(part)

    @signature({"types": ["string", "null"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_ends_with(self, text: str | None, part: str) -> bool:
        return text is not None and text.endswith(part)

    @signature({"types": ["array", "string", "null"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_contains(self, whole: list[Any] | str | None, part: Any) -> bool:
        return whole is not None and bool(super()._func_contains(whole, part))


class PathError(ValueError):
    """The expression is not usable. The text states the problem and the remedy."""


def parse(text: str) -> Node:
    """Parse an expression. Raises ``PathError``."""
    if len(text) > MAX_LENGTH:
        raise PathError(f"the expression is longer than {MAX_LENGTH} characters")
    written = _with_headers_in_lower_case(text)
    bare = _STRING.sub(lambda found: '""' if found[0][0] == '"' else "''", written)
    if _COMPARED_WITH_KEY.search(bare):
        raise PathError(f"`{text}`: double quotes name a key; write a text in single quotes, as in type == 'Create'")
    hint = next((hint for pattern, hint in _HINTS if pattern.search(bare)), "")
    try:
        parsed: Node = jmespath.compile(written).parsed
    except JMESPathError as error:
        problem = "it is empty" if not text.strip() else str(error).splitlines()[0].removeprefix("Bad jmespath expression: ")
        raise PathError(f"`{text}` is not a JMESPath expression: {hint or problem}") from error
    except RecursionError as error:
        raise PathError("the expression is nested too deeply") from error
    _lint(parsed, text)
    return parsed


def _with_headers_in_lower_case(text: str) -> str:
    """``header.X-Event-Id`` as ``header."x-event-id"``: header names have no case, and a plain key has no hyphen."""
    parts: list[str] = []
    end = 0
    for quoted in _STRING.finditer(text):
        parts += [_HEADER.sub(_lowered, text[end : quoted.start()]), quoted[0]]
        end = quoted.end()
    return "".join([*parts, _HEADER.sub(_lowered, text[end:])])


def _lowered(found: re.Match[str]) -> str:
    return f'header."{found[1].lower()}"'


def _lint(node: Node, text: str) -> None:
    """Report what parses and means something else than it seems to."""
    kind, children = node["type"], node["children"]
    if kind in {"subexpression", "index_expression", "comparator"} and children[0]["type"] == "not_expression":
        raise PathError(f"`{text}`: `!` applies to the first name alone: `!a.b` means `(!a).b`; write `!(a.b)`")
    if kind == "filter_projection":
        outer = sorted(_roots(children[2]) & {"doc", "item", "header"})
        if outer:
            raise PathError(
                f"`{text}`: a filter sees only the element that it filters, not `{outer[0]}`; use `each`, and `when` for the "
                f"condition (write `@.{outer[0]}` for a key of the element)"
            )
    if kind == "function_expression":
        _lint_function(node["value"], len(children), text)
    for child in children:
        if isinstance(child, Mapping):
            _lint(child, text)


def _lint_function(name: str, arguments: int, text: str) -> None:
    known = Functions.FUNCTION_TABLE
    if name not in known:
        raise PathError(f"`{text}`: JMESPath has no function `{name}`{suggestion(name, known)}")
    signature = known[name]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if arguments < len(signature) or (arguments > len(signature) and not variadic):
        raise PathError(f"`{text}`: `{name}` takes {len(signature)} {'value' if len(signature) == 1 else 'values'}")


def _roots(node: Node) -> set[str]:
    """The keys that a node reads of the value that it is applied to."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return {node["value"]}
    if kind in {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection", "flatten"}:
        return _roots(children[0])
    if kind in {"expref", "slice"}:
        return set()
    return {name for child in children for name in _roots(child)}
