"""An effect with as many fields as a test cares about."""

from __future__ import annotations

from typing import Any

from stream.sla.effects import Effect, Kind, Reason


def effect_of(kind: Kind, **fields: Any) -> Effect:
    """Of ticket ``desk/1``, by the timer; a key that is not given is empty."""
    empty: dict[str, Any] = {
        "id": "1",
        "at": 0,
        "detected_at": fields.get("at", 0),
        "ticket": "desk/1",
        "policy": "shop",
        "policy_version": 1,
        "commitment": "",
        "ladder": "",
        "escalation_kind": None,
        "level": "",
        "assign_to": "",
        "notify": (),
        "owner": "",
        "cycle": 1,
        "reason": Reason.TARGET_PASSED,
        "cause": "timer",
        "due_at": None,
        "allowed_from": None,
        "elapsed": 0,
        "paused": 0,
        "target": None,
        "calendar": "",
        "timezone": "UTC",
        "page": False,
        "late": False,
        "deployment": None,
        "provisional": False,
        "provisional_reason": None,
        "retracts": "",
        "retracts_kind": None,
        "retracts_reason": None,
        "fields": {},
    }
    return Effect(kind=kind, **(empty | fields))
