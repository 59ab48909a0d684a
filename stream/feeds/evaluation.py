"""Expressions of a mapping, ready to be evaluated: an error of the payload names the place of the expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.documents.readers import shown
from stream.feeds.expression import PathError
from stream.feeds.path import EvaluationError, compile_condition, compile_path
from stream.feeds.place import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.feeds.path import Get, Scope
    from stream.feeds.place import Node, Place


def read_condition(node: Node) -> Callable[[Scope], bool] | None:
    """Compile a condition. ``None`` after its problem has been reported."""
    if not isinstance(node.data, str):
        node.error(f"must be a condition such as `type == 'Create'`, not {shown(node.data)}")
        return None
    try:
        return fitting(compile_condition(node.data), node.place, node.data)
    except PathError as error:
        node.error(str(error))
        return None


def read_path(node: Node) -> Callable[[Scope], object] | None:
    """Compile a path that is written without braces. ``None`` after its problem has been reported."""
    if not isinstance(node.data, str) or "{" in node.data:
        node.error(f"must be a path without braces, such as `changelog.items`, not {shown(node.data)}")
        return None
    try:
        return fitting(compile_path(node.data), node.place, node.data)
    except PathError as error:
        node.error(str(error))
        return None


def fitting(get: Get, place: Place, path: str) -> Get:
    def fitting(scope: Scope) -> object:
        try:
            return get(scope)
        except EvaluationError as error:
            raise UnfitError(str(error), place, path) from error

    return fitting
