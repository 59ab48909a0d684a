"""Make the JSON schemas of the topics from the structs that read and write their records: ``make schemas``.

The structs are the contract, and a test compares the files with them. Explanations, policies and pages have no structs: their
schemas are written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from stream.feeds.rejected_payload import RejectedPayload, Retry
from stream.sla.effects import KINDS, Kind
from stream.wire.output_structs import WireEffect, WireRejected
from stream.wire.ticket_event import Wire

FOLDER: Final = Path(__file__).parent
_REFERENCE: Final = "#/$defs/"
_EVENT: Final = (
    "One fact about one ticket, which a helpdesk publishes on the topic ticket-events. The record key is the ticket, in "
    "UTF-8. Keys that are not listed here are ignored. A record has at most 1 MiB."
)
_KEYS_OF: Final = {
    ("commitment", "due_at", "target_seconds"): (Kind.BREACHED, Kind.WARNED),
    ("retracts", "retracts_type"): tuple(kind for kind in Kind if kind in {row.retracted_by for row in KINDS.values()}),
}
"""Keys that effects of these kinds always have."""


def build() -> dict[str, dict[str, Any]]:
    """File name to schema."""
    return {
        "ticket-event.v1.json": _ticket_event(),
        "sla-effect.v1.json": _sla_effect(),
        "rejected-event.v1.json": _written("Rejected event", "rejected-event", WireRejected),
        "feed-rejected.v1.json": _feed_rejected(),
    }


def text(schema: dict[str, Any]) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _head(title: str, name: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:breachwatch:schema:{name}:v1",
        "title": title,
    }


def _ticket_event() -> dict[str, Any]:
    (union,), defs = msgspec.json.schema_components([Wire], ref_template=_REFERENCE + "{name}")
    types: dict[str, str] = union["discriminator"]["mapping"]
    return {
        **_head("Ticket event", "ticket-event"),
        "description": _EVENT,
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"description": "What happened.", "enum": [*types]}},
        "allOf": [_where([type_], {"$ref": reference}) for type_, reference in types.items()],
        "$defs": {name: _plain(schema) for name, schema in defs.items()},
    }


def _sla_effect() -> dict[str, Any]:
    schema = _written("SLA effect", "sla-effect", WireEffect)
    defs = schema.pop("$defs")
    always = [_where(list(kinds), {"required": list(keys)}) for keys, kinds in _KEYS_OF.items()]
    return {**schema, "allOf": always, "$defs": defs}


def _feed_rejected() -> dict[str, Any]:
    kinds = [RejectedPayload, Retry]
    references, defs = msgspec.json.schema_components(kinds, ref_template=_REFERENCE + "{name}")
    for part in defs.values():
        part["properties"] = {key: _without_default(value) for key, value in part["properties"].items()}
    return {
        **_head("Record of feed-rejected", "feed-rejected"),
        "description": "A payload of a helpdesk that the mapping of its feed does not cover, or that such payloads were sent "
        "again. The record key is the feed.",
        "oneOf": list(references),
        "$defs": {name: _plain(part) for name, part in defs.items()},
    }


def _written(title: str, name: str, struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a struct that leaves out what has its default: a key is there only with another value."""
    _, defs = msgspec.json.schema_components([struct], ref_template=_REFERENCE + "{name}")
    schema = _plain(defs.pop(struct.__name__))
    schema["properties"] = {key: _without_default(value) for key, value in schema["properties"].items()}
    return {**_head(title, name), **schema, "$defs": {each: _plain(part) for each, part in defs.items()}}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    match schema.pop("default", None):
        case "" if "pattern" not in schema:
            schema["minLength"] = 1
        case []:
            schema["minItems"] = 1
    choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
    return schema | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def _where(types: list[str], then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"type": {"enum": types}}, "required": ["type"]}, "then": then}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the names of classes, without a format that differs from the pattern beside it, and with one word for numbers."""
    del schema["title"]
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split()).replace("``", "")
    for part in schema.get("properties", {}).values():
        if "pattern" in part:
            part.pop("format", None)
        for values in (part, part.get("additionalProperties", {})):
            _join_numbers(values)
    return schema


def _join_numbers(values: dict[str, Any]) -> None:
    choices = values.get("anyOf", [])
    if {"type": "number"} in choices:
        values["anyOf"] = [choice for choice in choices if choice != {"type": "integer"}]


def main() -> None:
    for name, schema in build().items():
        (FOLDER / name).write_text(text(schema), "utf-8")


if __name__ == "__main__":
    main()
