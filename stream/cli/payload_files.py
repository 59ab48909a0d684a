"""Reads files of payloads for ``breachwatch feed try``: JSON, a list of JSON, or JSON lines, also as recorded requests."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from stream.wire.instants import END

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class PayloadFileError(Exception):
    """A file cannot be read, or has no JSON. The text names the file and the problem."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload of a file."""

    name: str
    """The file, and the place in it if it has several payloads."""
    payload: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    received: int = 0
    """Epoch microseconds; 0: not known."""


def payloads(files: Iterable[Path], *, whole_lists: bool) -> Iterator[Payload]:
    """The payloads of the files. With ``whole_lists`` a list is one payload, else each of its elements is one.

    Raises ``PayloadFileError``.
    """
    for file in files:
        raw = _read(file)
        try:
            documents = [(str(file), orjson.loads(raw))]
        except orjson.JSONDecodeError as error:
            documents = list(_lines(file, raw, error))
        for name, document in documents:
            if isinstance(document, list) and not whole_lists:
                for number, element in enumerate(document, start=1):
                    yield _payload(f"{name}[{number}]", element)
            else:
                yield _payload(name, document)


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise PayloadFileError(f"{file}: cannot be read: {error.strerror or error}") from error


def _lines(file: Path, raw: bytes, whole: orjson.JSONDecodeError) -> Iterator[tuple[str, Any]]:
    """The documents of a file of JSON lines. A file of a single line reports the error of the whole."""
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), start=1) if line.strip()]
    for number, line in lines:
        try:
            yield f"{file}:{number}", orjson.loads(line)
        except orjson.JSONDecodeError as error:
            several = len(lines) > 1 and number > 1
            at, problem = (f"{file}:{number}", error) if several else (f"{file}:{whole.lineno}", whole)
            raise PayloadFileError(f"{at}: is not JSON: {problem.msg}") from error
    if not lines:
        raise PayloadFileError(f"{file}: is empty")


def _payload(name: str, document: Any) -> Payload:
    """A document, or the payload of a recorded request (``headers``, ``body_text``) or dead letter (``headers``, ``body``)."""
    if not isinstance(document, dict):
        return Payload(name, document)
    if document.keys() == {"headers", "body_text"}:
        return Payload(name, _loads(name, document["body_text"]), _headers(name, document))
    if document.get("kind") == "rejected" and isinstance(document.get("body"), str):
        received = document.get("received", 0)
        try:
            body = base64.b64decode(document["body"], validate=True)
        except ValueError as error:
            raise PayloadFileError(f"{name}: its body is not base64: {error}") from error
        if not isinstance(received, int) or not 0 <= received < END:
            raise PayloadFileError(f"{name}: its `received` is not an instant: {received!r}")
        return Payload(name, _loads(name, body), _headers(name, document), received)
    return Payload(name, document)


def _headers(name: str, document: dict[str, Any]) -> dict[str, str]:
    headers = document.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise PayloadFileError(f"{name}: its headers are not an object of texts")
    return headers


def _loads(name: str, text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise PayloadFileError(f"{name}: its body is not JSON: {error}") from error
