"""Ticket events of every type with a person's name and phone number in all places for free text and in fields of one's own."""

from __future__ import annotations

import json
from typing import Any, Final

NAME: Final = "Ada Free-Text"
PHONE: Final = "+00 5550 0199"
_WRITTEN: Final = f"Please call {NAME} on {PHONE}"

_MORE: Final[dict[str, dict[str, Any]]] = {
    "ticket.created": {"fields": {"priority": "p1", "subject": _WRITTEN, "requester": NAME, "phones": [PHONE, "none"]}},
    "ticket.changed": {"fields": {"priority": "p2", "description": _WRITTEN, "requester": {"name": NAME}}},
    "comment.added": {"public": False},
    "dependency.started": {"party": "vendor"},
    "dependency.ended": {"party": "vendor"},
    "extension.granted": {"commitment": "resolution", "by": "1h"},
    "escalation.requested": {"level": "lead", "impact": "production"},
    "escalation.acknowledged": {"level": "lead"},
    "escalation.released": {"level": "lead"},
    "resolution.accepted": {"by": "customer"},
    "ticket.merged": {"into": "desk/2"},
    "ticket.deleted": {},
    "ticket.restored": {},
    "ticket.erased": {},
}
"""Event type to what an event of it carries beside the rest. Identifiers, names of the policy and fields that are kept are not
free text."""
TYPES: Final = tuple(_MORE)


def payloads(ticket: str, at: str) -> list[bytes]:
    """One JSON payload a type, all at the instant ``at``, ordered by ``seq``."""
    return [
        json.dumps(
            {
                "type": type_,
                "id": f"e{number}",
                "source": "desk",
                "ticket": ticket,
                "at": at,
                "seq": number,
                "actor": {"kind": "customer", "id": _WRITTEN, "name": NAME, "phone": PHONE},
                "reason": _WRITTEN,
                "subject": _WRITTEN,
                "description": _WRITTEN,
                "comment": {"body": _WRITTEN},
                **more,
            }
        ).encode()
        for number, (type_, more) in enumerate(_MORE.items())
    ]
