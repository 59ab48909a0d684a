"""The structs of output records: an effect and a dead letter, as they stand on their topics.

``schemas/build.py`` makes the JSON schemas from these structs. What stands in ``extra_json_schema`` is a promise to consumers:
``decode_effect`` and ``decode_rejected`` do not check it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stream.sla.effects import Kind, Reason
from stream.sla.policy.policy import LadderKind
from stream.wire.decode import RejectReason

Seconds = int | float
"""A length on the wire: whole where it is whole. A float tells microseconds apart up to 270 years."""

_INSTANT = Meta(extra_json_schema={"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,5}[1-9])?Z$"})
_BASE64 = Meta(extra_json_schema={"contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"})
_FROM_0 = Meta(extra_json_schema={"minimum": 0})
_FROM_1 = Meta(extra_json_schema={"minimum": 1})
_NOT_EMPTY = Meta(extra_json_schema={"minLength": 1})
_ID = Meta(extra_json_schema={"pattern": r"^[0-9a-f]{24}(\.[1-9][0-9]*)?$"})
_TICKET = Meta(extra_json_schema={"minLength": 1, "maxLength": 256})
_PATH = Meta(extra_json_schema={"pattern": r"^\$"})


class WireEffect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One fact about a commitment or an escalation, on the topic sla-breaches or sla-escalations.

    The record key is the ticket. Times are RFC 3339 in UTC with at most microseconds; lengths are seconds, exact to the
    microsecond. A key that would say nothing is left out. New keys may come; skip those you do not know.
    """

    id: Annotated[
        str,
        _ID,
        Meta(
            description="Names the fact, and is the same when the fact is sent twice: drop what you have seen. A suffix .1, "
            ".2 counts "
            "restatements after a retraction."
        ),
    ]
    type: Annotated[Kind, Meta(description="What became true.")]
    at: Annotated[
        str, _INSTANT, Meta(description="When it became true; for a breach the deadline itself, however late it was noticed.")
    ]
    detected_at: Annotated[str, _INSTANT, Meta(description="When it was noticed.")]
    ticket: Annotated[str, _TICKET, Meta(description="The ticket, as its events name it.")]
    policy: Annotated[str, Meta(description="The policy that made the promise; absent where none applies.")] = ""
    policy_version: Annotated[int, _FROM_0, Meta(description="Its version, the one in force when the clock started.")]
    commitment: Annotated[str, Meta(description="The commitment; absent for a ladder that stands on none.")] = ""
    ladder: Annotated[str, Meta(description="escalation.*: the ladder.")] = ""
    escalation_kind: Annotated[
        LadderKind | None,
        Meta(
            description="escalation.*: functional (hands the ticket over to a team) or hierarchical (informs the line of "
            "management)."
        ),
    ] = None
    level: Annotated[
        str,
        Meta(description="escalation.*: the level. commitment.warned: the mark as the policy writes it (75%, 2bd)."),
    ] = ""
    assign_to: Annotated[
        str,
        Meta(
            description="escalation.raised, escalation.repeated, escalation.recurred of a functional ladder: the team that "
            "takes the "
            "ticket over."
        ),
    ] = ""
    notify: Annotated[tuple[Annotated[str, _NOT_EMPTY], ...], Meta(description="Roles to inform.")] = ()
    owner: Annotated[str, Meta(description="The role that holds the escalation.")] = ""
    cycle: Annotated[int, _FROM_1, Meta(description="Counts how often the stopwatch began anew on this ticket, from 1.")]
    reason: Annotated[Reason, Meta(description="Why, in one word.")]
    cause: Annotated[str, Meta(description="The id of the event that made it true, timer, or deployment: and a number.")]
    due_at: Annotated[str | None, _INSTANT, Meta(description="The deadline.")] = None
    allowed_from: Annotated[str | None, _INSTANT, Meta(description="escalation.refused: when the request may be made.")] = None
    elapsed_seconds: Annotated[
        Seconds, _FROM_0, Meta(description="Time used on the clock of the target (business or wall) up to at.")
    ]
    paused_seconds: Annotated[Seconds, _FROM_0, Meta(description="Time paused on the same clock up to at.")]
    target_seconds: Annotated[
        Seconds | None, _FROM_0, Meta(description="The target on that clock; absent: nothing was promised.")
    ] = None
    calendar: Annotated[str, Meta(description="The calendar that counts.")] = ""
    timezone: Annotated[str, Meta(description="The IANA zone in which the customer reads due_at.")] = ""
    late: Annotated[
        bool,
        Meta(
            description="True when a late event or a rejudging deployment revealed it: a correction of the record, nothing to "
            "page for."
        ),
    ]
    deployment: Annotated[
        int | None, _FROM_0, Meta(description="The deployment that made it true or revealed it; absent: none did.")
    ] = None
    retracts: Annotated[str, Meta(description="The id of the effect that this one takes back.")] = ""
    retracts_type: Annotated[Kind | None, Meta(description="The type of the effect that this one takes back.")] = None
    retracts_reason: Annotated[Reason | None, Meta(description="The reason of the effect that this one takes back.")] = None
    fields: Annotated[dict[str, str | list[str]], Meta(description="The ticket's fields at that time.")] = {}


class WireRejected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A record of ticket-events that was refused, on the topic ticket-events-rejected.

    It gives the reason, the place of the record and its original bytes. Nothing of the record took effect.
    """

    reason: Annotated[RejectReason, Meta(description="Why it was refused.")]
    message: Annotated[str, Meta(description="The same for people.")]
    path: Annotated[str, _PATH, Meta(description="JSON path of the place; absent where there is none.")] = ""
    at: Annotated[str, _INSTANT, Meta(description="When it was refused, UTC.")]
    topic: Annotated[str, _NOT_EMPTY, Meta(description="The topic it came in on.")]
    partition: Annotated[int, _FROM_0]
    offset: Annotated[int, _FROM_0]
    key_base64: Annotated[
        str | None, _BASE64, Meta(description="The record key, at most its first 16 KiB; absent: it had none.")
    ] = None
    value_base64: Annotated[
        str | None, _BASE64, Meta(description="The record value, at most its first 700,000 bytes; absent: it had none.")
    ] = None
    value_bytes: Annotated[
        int | None,
        _FROM_1,
        Meta(
            description="How long the value was; only there when value_base64 has not all of it. The whole is at topic, "
            "partition "
            "and offset."
        ),
    ] = None
