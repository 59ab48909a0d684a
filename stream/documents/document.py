"""Reads one YAML document as plain data and records the line of every place in it.

The reader follows a restricted form of the core schema of YAML 1.2. A scalar is a number only if formatting the number gives
the same text again. Dates, times, ``yes``, ``no``, ``on`` and ``off`` stay text. So ``on:`` is a key, ``2026-01-01`` is text,
and a build called ``1.10`` does not become 1.1. Text has one form of Unicode, NFC, as the fields of events have.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

import yaml

if TYPE_CHECKING:
    from pathlib import Path

Where = tuple[str | int, ...]
"""A place in a document: the keys and list indices from the top."""

Report = Callable[[Where, str], None]
"""Reports a problem: its place, relative to the data of the reader, and a message with the problem and the remedy."""

_MOST_BYTES: Final = 16 << 20
"""Of a file: a device has no end."""
_MAX_NODES: Final = 100_000
"""Limits a document, because aliases can make a short file expand without end. Real files are far smaller."""

_MAX_TEXT: Final = 32 << 20
"""Characters of all texts, aliases included: an alias repeats a text in five characters."""

_STR: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_SCALARS: Final = {
    _NULL: (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    _BOOL: (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    _INT: (re.compile(r"-?[1-9][0-9]{0,17}|0"), list("-0123456789")),
    _FLOAT: (re.compile(r"-?(?:[1-9][0-9]{0,7}|0)\.(?:0|[0-9]{0,6}[1-9])"), list("-0123456789")),
}


class Severity(StrEnum):
    ERROR = "error"
    """The files are not usable: the program does not start."""
    WARNING = "warning"
    """The files are usable, but likely wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a file. ``str()`` gives a line from which an editor can jump to the place."""

    file: str
    line: int
    """0: the file could not be read, and has no lines."""
    where: str
    """For example ``policies[0].commitments[1].target.p1``; empty for the file as a whole."""
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        file = f"{self.file}:{self.line}" if self.line else self.file
        place = f"{file}: " + (f"{self.where}: " if self.where else "")
        return place + ("warning: " if self.severity is Severity.WARNING else "") + self.message


class DocumentError(Exception):
    """Files are not usable. ``problems`` has every problem found, including warnings."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class PolicyError(DocumentError):
    """The policy files are not usable."""


@dataclass(slots=True)
class Document:
    """A file after reading: its plain data, the line of each place, and the problems found."""

    file: str
    data: object = None
    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """The line of a place, or of the nearest place around it if the place itself is missing."""
        while where not in self.lines and where:
            where = where[:-1]
        return self.lines.get(where, 1)

    def error(self, where: Where, message: str) -> None:
        self.problems.append(Problem(self.file, self.line(where), written(where), message))

    def unread(self, message: str) -> None:
        """The file could not be read, so that the problem is not in a line."""
        self.problems.append(Problem(self.file, 0, "", message))

    def warning(self, where: Where, message: str) -> None:
        self.problems.append(Problem(self.file, self.line(where), written(where), message, Severity.WARNING))


def written(where: Where) -> str:
    """``("policies", 0, "name")`` as ``policies[0].name``."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_document(path: Path) -> Document:
    """Read one file; ``-`` is standard input. Never raises.

    ``problems`` has its problems: unreadable, not UTF-8, not YAML, a duplicate key.
    """
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text: {error.reason} at byte {error.start}"
    else:
        if len(raw) > _MOST_BYTES:
            document = Document(str(path))
            document.unread(f"has more than {_MOST_BYTES >> 20} MiB")
            return document
        return parse_document(text, str(path))
    document = Document(str(path))
    document.unread(message)
    return document


def parse_document(text: str, file: str) -> Document:
    """Parse the text of a file, as ``read_document`` does. ``file`` is its name in the problems."""
    document = Document(file)
    try:
        node = _compose(text)
        document.data = _Walk(document).value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        position = error.problem_mark or error.context_mark
        document.lines[()] = position.line + 1 if position else 1
        document.error((), "is not YAML: " + ", ".join(filter(None, (error.context, error.problem))))
    except yaml.YAMLError as error:
        document.error((), "is not YAML: " + " ".join(str(error).split()))
    except RecursionError:
        document.error((), "is nested too deeply: no valid file needs this many levels")
    return document


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 typed so in the base class


for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern.pattern})$"), _first)


class _TooLargeError(yaml.YAMLError):
    pass


class _Walk:
    """Converts YAML nodes to data and records their lines. Keys stay the text of the file, even if YAML has a type for them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._around: set[int] = set()
        self._count = 0
        self._text = 0

    def value(self, node: yaml.Node, where: Where) -> object:
        self._document.lines.setdefault(where, node.start_mark.line + 1)
        self._count += 1
        if self._count > _MAX_NODES:
            raise _TooLargeError(f"more than {_MAX_NODES} values, aliases included")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if id(node) in self._around:
            self._document.error(where, f"the alias refers to a node that contains it (line {node.start_mark.line + 1})")
            return None
        self._around.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, where)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]
        finally:
            self._around.discard(id(node))
        raise AssertionError(f"YAML has no node of type {type(node).__name__}")

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.error(where, f"line {line}: a key must be a plain word")
                continue
            key = normalize("NFC", str(key_node.value))
            here = (*where, key)
            if key in data:
                first = self._document.lines[here]
                self._document.lines[here] = line
                self._document.error(here, f"duplicate key, first in line {first}")
                self._document.lines[here] = first
                continue
            self._document.lines[here] = line
            data[key] = self.value(value_node, here)
        return data

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> object:
        self._text += len(node.value)
        if self._text > _MAX_TEXT:
            raise _TooLargeError(f"more than {_MAX_TEXT} characters, aliases included")
        text = normalize("NFC", str(node.value))
        if node.tag == _STR:
            return text
        if node.tag not in _SCALARS or not _SCALARS[node.tag][0].fullmatch(text):
            self._document.error(where, f"the tag {node.tag!r} is not supported: write the value alone")
            return None
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        return int(text) if node.tag == _INT else float(text)
