"""Sentences for why there is no deadline, for the pages, the lists and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.pages.phrasing import when
from stream.sla.explain.without_deadline import NoDeadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.explain.explanation import Explanation
    from stream.sla.explain.without_deadline import WithoutDeadline

_TEXTS: Final = {
    NoDeadline.ERASED: "the ticket was erased on {since}",
    NoDeadline.DELETED: "the ticket was deleted on {since}",
    NoDeadline.MERGED: "the ticket was merged into another on {since}",
    NoDeadline.NO_POLICY: "no policy applies to its fields: the nearest is {policy}, which needs {condition}{fields}",
    NoDeadline.NO_COMMITMENT: "policy {policy} applies, and has no commitment",
    NoDeadline.WITHDRAWN: "a deployment has withdrawn it from policy {policy}",
    NoDeadline.NO_LONGER_APPLIES: "policy {policy} no longer applies to the fields of the ticket",
    NoDeadline.NOT_IN_FORCE: "its clock started before policy {policy} promised it{from_then}",
    NoDeadline.WHEN: "policy {policy} promises it only when {condition}{fields}",
    NoDeadline.NO_TARGET: "policy {policy} has no target for this ticket: targets are for {condition}{fields}",
    NoDeadline.PASSED_BEFORE_DEPLOYMENT: "its deadline had passed already when a deployment of policy {policy} promised it",
    NoDeadline.NOT_BEGUN: "no event has stated yet that the ticket is open",
    NoDeadline.NOT_STARTED: "its clock has not started: it waits for {start}",
    NoDeadline.EVENTS_NOT_KEPT: "a deployment of policy {policy} promised it, and the events that started its clock were no "
    "longer kept",
    NoDeadline.WAITS_FOR_DATE: "its clock starts at the date in the field {field}",
    NoDeadline.PAUSED: "its clock is paused: the deadline is known when it runs again",
    NoDeadline.NEVER_OPEN: "its calendar is not open long enough any more",
    NoDeadline.STOPPED_BEFORE: "its clock had stopped before anything was promised on it",
    NoDeadline.CANCELLED: "a condition of its metric has cancelled it",
}
_BEGINNING: Final = "the creation of the ticket"
_STARTS: Final = {
    "first_response": "a public message of the customer",
    "next_response": "a public message of the customer after the first answer",
    "periodic_update": "a public answer of an agent",
    "pausable_update": "a public answer of an agent",
    "customer_silence": "a public answer of an agent",
    "ownership": "the assignment to a team",
    "review": "the solution of the ticket",
}
"""The starts of the built-in metrics."""


def reasons(found: Iterable[WithoutDeadline], zone: str) -> list[str]:
    """A sentence for each reason, with the commitments that it is the reason of. ``zone``: the IANA zone of its instants."""
    commitments: dict[str, list[str]] = {}
    for one in found:
        commitments.setdefault(_text(one, zone), []).append(one.commitment)
    return [": ".join(filter(None, (", ".join(names), text))) for text, names in commitments.items()]


def reasons_of(explanation: Explanation, zone: str) -> list[str]:
    """As ``reasons``, without the clocks that wait for a date, of which ``Explanation.waiting`` has more."""
    return reasons([one for one in explanation.without_deadline if one.reason is not NoDeadline.WAITS_FOR_DATE], zone)


def _text(one: WithoutDeadline, zone: str) -> str:
    if one.reason is NoDeadline.NO_POLICY and not one.policy:
        return "no policy is in force"
    since = "" if one.since is None else when(one.since - one.since % 1_000_000, zone)
    return _TEXTS[one.reason].format(
        policy=one.policy,
        condition=one.condition,
        fields=_fields(one),
        since=since,
        from_then=f", which it does for clocks from {since} on" if since else "",
        start=one.condition or _STARTS.get(one.metric, _BEGINNING),
        field=", ".join(name for name, _ in one.fields),
    )


def _fields(one: WithoutDeadline) -> str:
    """The ticket's own values."""
    values = [f"{name} {value!r}" if value else f"no {name}" for name, value in one.fields]
    return f", and the ticket has {', '.join(values)}" if values else ""
