"""The open commitments of a partition, counted by label set, state, deadline and start, and updated incrementally.

The counts hold no per-ticket data. A unit of work has each ticket before and after its change: it subtracts the one and adds
the other. The counts therefore need no memory per ticket, and a partition that moves away drops them as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.events import as_one_text
from stream.sla.ticket.state import commitment_status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.metrics.commitment_metrics import CommitmentMetrics, CommitmentSeries
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.state import OpenCommitment, State, Ticket

RUNNING: Final = "running"
BREACHED: Final = "breached"
STATES: Final = (RUNNING, "paused", BREACHED)
MINUTE: Final = 60_000_000
MINUTES: Final = 15
"""In a quarter of an hour."""
QUARTER: Final = MINUTES * MINUTE
MINUTE_BITS: Final = 24
"""Bits of each minute in a number that packs the counts of fifteen minutes; the first minute has the lowest bits."""
QUARTERS: Final = 96
"""In a day."""
COMMITMENT_BITS: Final = 16


class OpenCommitmentCounts:
    """Changed by the event loop. A scrape copies its parts; each copy is atomic in the interpreter."""

    def __init__(self, metrics: CommitmentMetrics) -> None:
        self.open: int = 0
        """Number of open commitments."""
        self.states: Final[dict[str, dict[int, int]]] = {state: {} for state in STATES}
        """By state: index of a label set to the count."""
        self.due: Final[dict[int, dict[int, int]]] = {}
        """Running commitments: quarter of an hour of the deadline, then ``team_index``, to the packed counts of the minutes
        of that quarter (``MINUTE_BITS``). A packed number costs as much memory as a single count, and one addition adds all
        fifteen."""
        self.began: Final[dict[int, dict[int, int]]] = {}
        """Open commitments: day of the start with ``commitment_index`` in its lower ``COMMITMENT_BITS``, then the quarter of
        an hour of that day, to the count."""
        self._metrics: Final = metrics
        self._cache: Final = metrics.cache
        self._by_customer: Final = metrics.by_customer

    def add(self, open_commitments: Iterable[OpenCommitment]) -> None:
        """Add the open commitments of a ticket that is not counted yet."""
        for one in open_commitments:
            series = self._metrics.find(one.policy, one.commitment, one.priority, one.team, one.customer)
            self._count(series, one.state, one.due_at, one.began, 1)

    def change(self, before: State | None, after: State | None) -> None:
        """Replace the counts of a ticket before a change by its counts after it. ``None``: there was, or is, no such ticket."""
        if before is None or after is None:
            if after is not None:
                self._ticket(after.head, 1)
            elif before is not None:
                self._ticket(before.head, -1)
            return
        old, new = before.head, after.head
        was, now = old.fields, new.fields
        if was is not now and (
            was.get("priority") != now.get("priority")
            or was.get("team") != now.get("team")
            or (self._by_customer and was.get("customer") != now.get("customer"))
        ):
            # Add first: to empty a slot and fill it again costs more than to keep it.
            self._ticket(new, 1)
            self._ticket(old, -1)
        # A copy of a ticket shares its unchanged parts, and most events change neither of these two.
        elif old.commitments is not new.commitments or old.watches is not new.watches:
            self._difference(old, new)

    def _difference(self, before: Ticket, after: Ticket) -> None:
        """Count the changes of a ticket whose labels are the same as before."""
        commitments, watches = before.commitments, after.watches
        for name, new in after.commitments.items():
            old, watch = commitments.get(name), watches[new.terms.metric]
            if old is None:
                self._commitment(after, name, new, 1)
                continue
            old_watch = before.watches[old.terms.metric]
            if old is new and old_watch is watch:
                continue
            state = commitment_status(new.terms.target is not None, new.verdict, watch.phase)
            old_state = commitment_status(old.terms.target is not None, old.verdict, old_watch.phase)
            if state and old_state and new.terms.policy == old.terms.policy and watch.began == old_watch.began:
                # The same commitment goes on: paused, resumed, breached, or with another deadline.
                if state != old_state or new.due != old.due:
                    series = self._find(after, new.terms.policy, name)
                    self._state(series, state, new.due, 1)
                    self._state(series, old_state, old.due, -1)
                continue
            if state:
                self._count(self._find(after, new.terms.policy, name), state, new.due, watch.began, 1)
            if old_state:
                self._count(self._find(before, old.terms.policy, name), old_state, old.due, old_watch.began, -1)
        for name, old in commitments.items():
            if name not in after.commitments:
                self._commitment(before, name, old, -1)

    def _ticket(self, ticket: Ticket, step: int) -> None:
        for name, commitment_state in ticket.commitments.items():
            self._commitment(ticket, name, commitment_state, step)

    def _commitment(self, ticket: Ticket, name: str, commitment_state: CommitmentState, step: int) -> None:
        watch = ticket.watches[commitment_state.terms.metric]
        state = commitment_status(commitment_state.terms.target is not None, commitment_state.verdict, watch.phase)
        if state:
            self._count(self._find(ticket, commitment_state.terms.policy, name), state, commitment_state.due, watch.began, step)

    def _find(self, ticket: Ticket, policy: str, commitment: str) -> CommitmentSeries:
        priority, team = ticket.fields.get("priority", ""), ticket.fields.get("team", "")
        try:
            return self._cache[policy, commitment, priority, team]
        except (KeyError, TypeError):  # not cached yet, or one of them is a list, or there is a label of customers
            customer = as_one_text(ticket.fields.get("customer", ""))
            return self._metrics.find(policy, commitment, as_one_text(priority), as_one_text(team), customer)

    def _count(self, series: CommitmentSeries, state: str, due: int | None, began: int, step: int) -> None:
        self.open += step
        self._state(series, state, due, step)
        quarter = began // QUARTER
        _add(self.began, quarter // QUARTERS << COMMITMENT_BITS | series.commitment_index, quarter % QUARTERS, step)

    def _state(self, series: CommitmentSeries, state: str, due: int | None, step: int) -> None:
        counts, index = self.states[state], series.index
        counts[index] = counts.get(index, 0) + step
        if state == RUNNING and due is not None:
            minute = due // MINUTE
            _add(self.due, minute // MINUTES, series.team_index, step << minute % MINUTES * MINUTE_BITS)


def _add(slots: dict[int, dict[int, int]], slot: int, index: int, step: int) -> None:
    """Add to a count. Counts and slots that become empty are removed."""
    counts = slots.get(slot)
    if counts is None:
        counts = slots[slot] = {}
    count = counts.get(index, 0) + step
    if count:
        counts[index] = count
    else:
        del counts[index]
        if not counts:
            del slots[slot]
