"""A worker's pages without a worker: tickets of a small policy, folded by the engine and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.language.policies import load
from stream.observe.pages.lists import ListPart, ListQuery, ListRow, matches
from stream.observe.pages.views import (
    AtRisk,
    DeploymentView,
    Elsewhere,
    FeedView,
    Neighbour,
    PartitionView,
    TicketView,
    UnavailableError,
    WorkerView,
)
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain.explain import explain_state
from stream.testing import instant

if TYPE_CHECKING:
    from pathlib import Path


POLICY = """
calendars:
  office: {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}
policies:
  - policy: support
    version: 3
    applies_to: always
    calendar: office
    commitments:
      - {metric: first_response, target: {p1: 4bh, default: 1bd}, warn_at: 50%}
      - {metric: resolution, target: {p1: 2bd, default: 5bd}}
    escalations:
      - ladder: management
        kind: hierarchical
        on: resolution
        levels:
          - {level: team-lead, notify: [team-lead], at: 25%}
          - {level: executive, notify: [executive], at: "+1h"}
"""
NASTY = "<script>alert('x')</script>\"&"


def ist(text: str) -> int:
    return instant(text, "Asia/Kolkata")


def ticket(folder: Path, name: str = "desk/42", until: str = "2026-11-18 11:30", **fields: Any) -> TicketView:
    """A p1 ticket, answered late, that waited for its customer over noon, and whose escalation was acknowledged."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    policies = load([policy])
    engine, state = Engine(policies), None
    fields = {"status": "open", "priority": "p1", "team": "first-line"} | fields
    happened: list[tuple[str, Any, dict[str, Any]]] = [
        ("2026-11-16 10:00", "ticket.created", {"fields": fields}),
        ("2026-11-16 15:10", "comment.added", {"public": True, "actor": "agent"}),
        ("2026-11-17 11:00", "ticket.changed", {"fields": {"status": "pending"}}),
        ("2026-11-17 13:30", "ticket.changed", {"fields": {"status": "open"}}),
        ("2026-11-17 14:00", "escalation.acknowledged", {"actor": "agent", "role": "on-call"}),
    ]
    for number, (at, kind, more) in enumerate(happened):
        state = engine.apply(state, name, Event(at=ist(at), id=f"e{number}", type=kind, source="desk", **more), 0).state
    assert state is not None
    woken = engine.wake(state, ist(until)).state
    shown = {key: value for key, value in woken.head.fields.items() if key[0] != "@"}
    return TicketView(name, 2, True, shown, "", explain_state(policies, woken, ist(until)))


def worker(**changes: Any) -> WorkerView:
    """A worker with two partitions, one of them behind, and three deadlines ahead."""
    now = ist("2026-11-18 11:30")
    minute = 60_000_000
    risks = [
        AtRisk(name, "support", "resolution", "p1", "first-line", "running", now + left * minute, left * minute, "Asia/Kolkata")
        for name, left in (("desk/41", -1), ("desk/42", 9), ("another-desk/2026/000017-b", 95))
    ]
    view = WorkerView(
        url="http://127.0.0.1:9300",
        at=now,
        ready=False,
        status="catching up on partitions 3",
        partitions=(
            PartitionView(2, True, now - minute, 123_456, 234_567, now + 9 * minute),
            PartitionView(3, False, None, 0, 0, None),
        ),
        at_risk=tuple(risks),
        at_risk_until=None,
        neighbours=(Neighbour("http://127.0.0.1:9300", (2, 3)), Neighbour("http://127.0.0.1:9301", (0, 1))),
        deployments=(
            DeploymentView(
                number=7,
                since=now - 2 * minute,
                kind="deploy",
                by="service-desk",
                note="Office closed on Friday",
                fingerprint="0123456789ab",
                replaced=False,
                remaining=4_321,
                changes=("~ calendar office, hours", "    ~ Fri 2026-11-20: 09:00-17:00 -> closed"),
            ),
            DeploymentView(0, None, "deploy", "", "", "ba9876543210", False, 0, ("+ policy support",)),
        ),
        files_differ=True,
        feeds=(
            FeedView("desk", now - minute, now - minute, "complete", stale=False, waiting=0),
            FeedView("shop", now - 60 * minute, now - 40 * minute, "unreachable", stale=True, waiting=12),
            FeedView("webhook", now - 3 * minute, None, "", stale=False, waiting=0),
        ),
    )
    return view._replace(**changes)


def listed(name: str, left: int = -60, **changes: Any) -> ListRow:
    """A row of a list. ``left``: seconds until its deadline, which may have passed."""
    now = ist("2026-11-18 11:30")
    due, overdue = now + left * 1_000_000, left * 1_000_000
    its = ("p1", "first-line", "acme", "kim", "Asia/Kolkata")
    row = ListRow(name, "breached", "support", "resolution", due, overdue, None, *its)
    return row._replace(**changes)


class Desk:
    """Gives the answers that a test has set."""

    def __init__(self, view: WorkerView, *tickets: TicketView) -> None:
        self.view = view
        self.tickets = {each.ticket: each for each in tickets}
        self.away: str | None = None
        self.elsewhere: dict[str, Any] = {}
        self.asked: list[tuple[str, frozenset[int], int | None]] = []
        self.rows: tuple[ListRow, ...] = ()
        self.others: tuple[str, ...] = ()

    def worker(self) -> WorkerView:
        if self.away:
            raise UnavailableError(self.away)
        return self.view

    def listed(self, query: ListQuery) -> ListPart:
        if self.away:
            raise UnavailableError(self.away)
        rows = tuple(row for row in self.rows if matches(row, query))
        return ListPart(self.view.url, self.view.at, rows, len(rows), len(self.rows), complete=True)

    def neighbours(self) -> tuple[str, ...]:
        return self.others

    def ticket(self, ticket: str, asked: frozenset[int], sent_for: int | None) -> TicketView | Elsewhere:
        self.asked.append((ticket, asked, sent_for))
        if self.away:
            raise UnavailableError(self.away)
        if ticket in self.tickets:
            return self.tickets[ticket]
        nothing = Elsewhere(ticket, 3, (2, 3), asked | {2, 3}, None, None, ())
        return nothing._replace(**self.elsewhere)
