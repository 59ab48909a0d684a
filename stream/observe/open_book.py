"""The book of a partition's open commitments: how many stand how, by label set, deadline and age, kept up by differences.

It remembers no ticket. A turn has each ticket as it was and as it is, and what was counted of it before is what stands in it
as it was; so a book costs nothing a ticket, and is given up in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.ticket.state import commitment_status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.counts import Counts, LabelSets
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.state import OpenCommitment, State, Ticket

RUNNING: Final = "running"
BREACHED: Final = "breached"
STATES: Final = (RUNNING, "paused", BREACHED)
MINUTE: Final = 60_000_000
MINUTES: Final = 15
"""Of a quarter of an hour."""
QUARTER: Final = MINUTES * MINUTE
MINUTE_BITS: Final = 24
"""Of a number that counts fifteen minutes at once: each has so many bits of it, the first the lowest."""
QUARTERS: Final = 96
"""Of a day."""
WHAT_BITS: Final = 16


class OpenBook:
    """Counts only. Changed by the event loop; a scrape copies parts of it, each in one step of the interpreter."""

    def __init__(self, sets: LabelSets) -> None:
        self.open: int = 0
        """How many commitments are open."""
        self.states: Final[dict[str, dict[int, int]]] = {state: {} for state in STATES}
        """By state: number of a label set to how many."""
        self.due: Final[dict[int, dict[int, int]]] = {}
        """Running ones: quarter of an hour of the deadline, then ``Counts.whom``, to how many in each minute of that quarter
        (``MINUTE_BITS``). Numbers in one another cost as much as one, and many are added up in one step."""
        self.began: Final[dict[int, dict[int, int]]] = {}
        """Open ones: day on which they began and below it, in ``WHAT_BITS``, ``Counts.what``, then the quarter of an hour of
        that day, to how many."""
        self._sets: Final = sets
        self._remembered: Final = sets.remembered

    def add(self, open_commitments: Iterable[OpenCommitment]) -> None:
        """Count the open commitments of a ticket that is not in the book."""
        for one in open_commitments:
            counts = self._sets.find(one.policy, one.commitment, one.priority, one.team)
            self._line(counts, one.state, one.due_at, one.began, 1)

    def change(self, before: State | None, after: State | None) -> None:
        """Count a ticket as it is in the place of the ticket as it was; ``None``: there was, or is, none."""
        if before is None or after is None:
            if after is not None:
                self._whole(after.head, 1)
            elif before is not None:
                self._whole(before.head, -1)
            return
        was, is_ = before.head, after.head
        old, new = was.fields, is_.fields
        if old is not new and (old.get("priority") != new.get("priority") or old.get("team") != new.get("team")):
            # First what is added: a slot that is emptied and filled again costs more than one that is not emptied.
            self._whole(is_, 1)
            self._whole(was, -1)
        # A copy of a ticket shares what did not change, and most events change nothing of this.
        elif was.commitments is not is_.commitments or was.watches is not is_.watches:
            self._difference(was, is_)

    def _difference(self, was: Ticket, is_: Ticket) -> None:
        """Of tickets with the same priority and team."""
        before, watches = was.commitments, is_.watches
        for name, new in is_.commitments.items():
            old, watch = before.get(name), watches[new.metric]
            if old is None:
                self._one(is_, name, new, 1)
                continue
            old_watch = was.watches[old.metric]
            if old is new and old_watch is watch:
                continue
            now = commitment_status(new.target is not None, new.verdict, watch.phase)
            then = commitment_status(old.target is not None, old.verdict, old_watch.phase)
            if now and then and new.policy == old.policy and watch.began == old_watch.began:
                # The same commitment goes on: paused, resumed, breached, or with another deadline.
                if now != then or new.due != old.due:
                    counts = self._find(is_, new.policy, name)
                    self._state(counts, now, new.due, 1)
                    self._state(counts, then, old.due, -1)
                continue
            if now:
                self._line(self._find(is_, new.policy, name), now, new.due, watch.began, 1)
            if then:
                self._line(self._find(was, old.policy, name), then, old.due, old_watch.began, -1)
        for name, old in before.items():
            if name not in is_.commitments:
                self._one(was, name, old, -1)

    def _whole(self, ticket: Ticket, step: int) -> None:
        for name, commitment_state in ticket.commitments.items():
            self._one(ticket, name, commitment_state, step)

    def _one(self, ticket: Ticket, name: str, commitment_state: CommitmentState, step: int) -> None:
        watch = ticket.watches[commitment_state.metric]
        state = commitment_status(commitment_state.target is not None, commitment_state.verdict, watch.phase)
        if state:
            self._line(self._find(ticket, commitment_state.policy, name), state, commitment_state.due, watch.began, step)

    def _find(self, ticket: Ticket, policy: str, commitment: str) -> Counts:
        priority, team = ticket.fields.get("priority", ""), ticket.fields.get("team", "")
        try:
            return self._remembered[policy, commitment, priority, team]
        except (KeyError, TypeError):  # it is the first, or one of them is a list
            return self._sets.find(policy, commitment, str(priority), str(team))

    def _line(self, counts: Counts, state: str, due: int | None, began: int, step: int) -> None:
        self.open += step
        self._state(counts, state, due, step)
        quarter = began // QUARTER
        _count(self.began, quarter // QUARTERS << WHAT_BITS | counts.what, quarter % QUARTERS, step)

    def _state(self, counts: Counts, state: str, due: int | None, step: int) -> None:
        there, number = self.states[state], counts.number
        there[number] = there.get(number, 0) + step
        if state == RUNNING and due is not None:
            minute = due // MINUTE
            _count(self.due, minute // MINUTES, counts.whom, step << minute % MINUTES * MINUTE_BITS)


def _count(slots: dict[int, dict[int, int]], slot: int, number: int, step: int) -> None:
    there = slots.get(slot)
    if there is None:
        there = slots[slot] = {}
    count = there.get(number, 0) + step
    if count:
        there[number] = count
    else:
        del there[number]
        if not there:
            del slots[slot]
