"""The pages as JSON: ``schemas/worker-page.v1.json`` and ``schemas/ticket-page.v1.json``. Instants are RFC 3339 in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import orjson

from stream.wire.explanation import encode_explanation
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from stream.observe.pages.views import TicketView, WorkerView

_OPTIONS: Final = orjson.OPT_SORT_KEYS


def ticket_address(ticket: str) -> str:
    """Return the path of a ticket's page."""
    return f"/tickets/{quote(ticket, safe='')}"


def worker(view: WorkerView) -> bytes:
    """Return the page of a worker."""
    return orjson.dumps(
        {
            "worker": view.url,
            "at": format_instant(view.at),
            "ready": view.ready,
            "status": view.status,
            "partitions": [
                {
                    "number": partition.number,
                    "live": partition.live,
                    "watermark": _instant(partition.watermark),
                    "tickets": partition.tickets,
                    "open_commitments": partition.open_commitments,
                    "next_at": _instant(partition.next_at),
                }
                for partition in view.partitions
            ],
            "feeds": [
                {
                    "source": feed.source,
                    "received": _instant(feed.received),
                    "complete_up_to": _instant(feed.complete),
                    "state": feed.state or None,
                    "stale": feed.stale,
                    "waiting_tickets": feed.waiting,
                }
                for feed in view.feeds
            ],
            "at_risk": [
                {
                    "ticket": risk.ticket,
                    "page": ticket_address(risk.ticket),
                    "policy": risk.policy,
                    "commitment": risk.commitment,
                    "priority": risk.priority,
                    "team": risk.team,
                    "state": risk.state,
                    "due_at": format_instant(risk.due_at),
                    "seconds_left": risk.left / 1e6,
                    "timezone": risk.timezone,
                }
                for risk in view.at_risk
            ],
            "at_risk_until": _instant(view.at_risk_until),
            "deployments": [
                {
                    "number": deployment.number,
                    "since": _instant(deployment.since),
                    "kind": deployment.kind,
                    "by": deployment.by,
                    "note": deployment.note,
                    "fingerprint": deployment.fingerprint,
                    "replaced": deployment.replaced,
                    "remaining_tickets": deployment.remaining,
                    "changes": deployment.changes,
                }
                for deployment in view.deployments
            ],
            "policy_files_differ": view.files_differ,
            "workers": [{"worker": other.url, "partitions": other.partitions} for other in view.neighbours],
        },
        option=_OPTIONS,
    )


def ticket(view: TicketView) -> bytes:
    """Return the page of a ticket, with its explanation."""
    return orjson.dumps(
        {
            "ticket": view.ticket,
            "partition": view.partition,
            "live": view.live,
            "fields": view.fields,
            "gone": view.gone or None,
            "gone_since": _instant(view.gone_since),
            "explanation": orjson.Fragment(encode_explanation(view.explanation)),
        },
        option=_OPTIONS,
    )


def problem(text: str) -> bytes:
    """Return the reason for a missing page."""
    return orjson.dumps({"error": text}, option=_OPTIONS)


def _instant(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
