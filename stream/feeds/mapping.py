"""Reads mapping files: what the payloads of a helpdesk mean, and how its requests are signed.

A mapping may extend another one. Its ``tables`` then add rows, and replace rows of the same value. Its ``fields`` replace the
fields of the same names, those of rules too. Its ``events`` come before those of the other mapping. Every other key replaces
that of the other mapping, in ``common`` key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.documents.document import DocumentError, Problem, read_document
from stream.documents.readers import items, listed, read_word, section, shown, suggestion
from stream.feeds.lint import lint
from stream.feeds.place import Node
from stream.feeds.rule import Common, Rule, check_rows, read_fields, read_keys, read_rules
from stream.feeds.signature_reading import read_signature
from stream.wire.ticket_event import MAX_ID

if TYPE_CHECKING:
    from stream.documents.document import Document
    from stream.feeds.signature import Scheme
    from stream.feeds.value import Tables, Value

_SHIPPED: Final = Path(str(resources.files("stream.feeds"))) / "mappings"
_SUFFIXES: Final = (".yaml", ".yml")
_KEYS: Final = (
    "extends", "title", "source", "delivery", "signature", "tables", "common", "fields", "events", "otherwise",
    "batch",
)  # fmt: skip


class Delivery(StrEnum):
    """The channel by which the payloads of a helpdesk arrive."""

    PUSH = "push"
    """It sends them to the gateway."""
    PULL = "pull"
    """They are pulled from its API."""


class Otherwise(StrEnum):
    """The treatment of a payload to which no rule applies."""

    SKIP = "skip"
    """It has no event."""
    REFUSE = "refuse"
    """It is unmapped."""


@dataclass(frozen=True, slots=True)
class FeedMapping:
    """A valid mapping."""

    name: str
    """The name of its file, without the suffix."""
    file: str
    source: str
    """The source of the events; also the first part of every ticket: ``source/number``."""
    title: str
    """The helpdesk, in a line."""
    delivery: tuple[Delivery, ...]
    signature: Scheme | None
    """The signature of requests. ``None``: the helpdesk sends none, or without a signature."""
    rules: tuple[Rule, ...]
    fields: Mapping[str, Value]
    """Ticket fields that a payload shows as they are when it is made: of an event of their own."""
    otherwise: Otherwise
    batch: bool
    """A payload is a list whose elements have nothing to do with each other: the gateway rejects only those that do not fit."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of reading a mapping file: the mapping, unless one of the problems is an error, and every problem found."""

    mapping: FeedMapping | None
    problems: tuple[Problem, ...]


def load(where: str | Path) -> FeedMapping:
    """The mapping of a file, or the shipped one of this name. Raises ``DocumentError`` with every problem."""
    checked = check(where)
    if checked.mapping is None:
        raise DocumentError(checked.problems)
    return checked.mapping


def shipped() -> list[str]:
    """The names of the mappings that ship with breachwatch."""
    return sorted(file.stem for file in _SHIPPED.glob("*.yaml"))


def check(where: str | Path) -> Checked:
    """Read and check a mapping as ``load`` does, and give the warnings as well. Never raises for what is in a file."""
    layers = _layers(where)
    if problems := _problems(layers):
        return Checked(None, problems)
    tables = _tables(layers)
    mapping = _combine(layers, tables)
    if problems := _problems(layers):
        return Checked(None, problems)
    return Checked(mapping, tuple(lint(mapping.rules, mapping.fields, tables)))


def _problems(layers: list[_Layer]) -> tuple[Problem, ...]:
    return tuple(problem for layer in layers for problem in sorted(layer.document.problems, key=lambda problem: problem.line))


def mapping_file(where: str | Path) -> Path:
    """The file of a path, or of the name of a shipped mapping; an existing file comes first."""
    path = Path(where)
    if path.suffix not in _SUFFIXES and (not path.exists() or path.is_dir()) and str(where) in shipped():
        return _SHIPPED / f"{where}.yaml"
    return path


@dataclass(frozen=True, slots=True)
class _Layer:
    """A mapping file, before it is combined with those that it extends."""

    path: Path
    document: Document
    data: Mapping[str, object]

    def node(self, key: str) -> Node:
        return Node(self.document, (key,), self.data[key])


def _layers(where: str | Path) -> list[_Layer]:
    """The file, the one that it extends, and so on."""
    layers: list[_Layer] = []
    path = mapping_file(where)
    while True:
        layer = _read_layer(path)
        layers.append(layer)
        name = layer.data.get("extends")
        if name is None:
            return layers
        if not isinstance(name, str) or not name:
            layer.document.error(("extends",), f"must be the name of a shipped mapping, or a path, not {shown(name)}")
            return layers
        path = mapping_file(name) if name in shipped() else path.parent / name
        if path.resolve() in [layer.path.resolve() for layer in layers]:
            layer.document.error(("extends",), f"`{name}` extends this mapping itself")
            return layers
        if not path.exists():
            layer.document.error(
                ("extends",),
                f"{shown(name)} is neither a file nor a shipped mapping{suggestion(name, shipped())}: {listed(shipped())}",
            )
            return layers


def _read_layer(path: Path) -> _Layer:
    document = read_document(path)
    if document.problems and document.data is None:
        if str(path) != "-" and not path.exists() and path.suffix not in _SUFFIXES:
            document.problems.clear()
            meant = suggestion(str(path), shipped())
            document.unread(
                f"there is no such file, and no such mapping ships with breachwatch{meant}; there are: {listed(shipped())}"
            )
        return _Layer(path, document, {})
    top = section(document.data, document.error, _KEYS)
    if top is None:
        return _Layer(path, document, {})
    return _Layer(path, document, {key: value for key, value in top.items() if key in _KEYS})


def _combine(layers: list[_Layer], tables: Tables) -> FeedMapping:
    """The mapping of all files. It is usable only if no problem has been reported."""
    own = layers[0]
    for key in ("source", "common", "events"):
        if not any(key in layer.data for layer in layers):
            own.document.error((), f"`{key}` is missing")
    keys: dict[str, Value] = {}
    for layer in reversed(layers):
        if "common" in layer.data:
            keys.update(read_keys(layer.node("common"), tables))
    of_layer = [read_fields(layer.node("fields"), tables) if "fields" in layer.data else {} for layer in layers]
    rules: list[Rule] = []
    fields: dict[str, Value] = {}
    for layer, found in zip(layers, of_layer, strict=True):
        if "events" in layer.data:
            rules += read_rules(layer.node("events"), tables, Common(keys, frozenset(fields)))
        fields = {**found, **fields}
    source, title, delivery, signature, otherwise, batch = (
        _top(layers, key) for key in ("source", "title", "delivery", "signature", "otherwise", "batch")
    )
    return FeedMapping(
        name=own.path.stem,
        file=str(own.path),
        source=_text(source, longest=MAX_ID) if source else "",
        title=_text(title, longest=200) if title else "",
        delivery=_delivery(delivery) if delivery else (),
        signature=read_signature(signature.data, signature.report) if signature else None,
        rules=tuple(rules),
        fields=fields,
        otherwise=read_word(Otherwise)(otherwise.data, otherwise.report) or Otherwise.SKIP if otherwise else Otherwise.SKIP,
        batch=_yes_no(batch) if batch else False,
    )


def _top(layers: list[_Layer], key: str) -> Node | None:
    """The value of a key in the first file that has it."""
    return next((layer.node(key) for layer in layers if key in layer.data), None)


def _tables(layers: list[_Layer]) -> dict[str, dict[str, Node]]:
    tables: dict[str, dict[str, Node]] = {}
    for layer in reversed(layers):
        if "tables" not in layer.data:
            continue
        node = layer.node("tables")
        if not isinstance(node.data, Mapping):
            node.error(f"must be a mapping from names to tables, not {shown(node.data)}")
            continue
        for name, table in node.parts(node.data):
            tables[name] = {**tables.get(name, {}), **check_rows(table)}
    return tables


def _text(node: Node, longest: int) -> str:
    if isinstance(node.data, str) and 1 <= len(node.data) <= longest and "{" not in node.data:
        return node.data
    node.error(f"must be text of 1 to {longest} characters without braces, not {shown(node.data)}")
    return ""


def _yes_no(node: Node) -> bool:
    if not isinstance(node.data, bool):
        node.error(f"must be true or false, not {shown(node.data)}")
    return node.data is True


def _delivery(node: Node) -> tuple[Delivery, ...]:
    data = node.data if isinstance(node.data, list) else [node.data]
    read = items(data, node.report, read_word(Delivery)) or []
    return tuple(word for word in read if word is not None)
